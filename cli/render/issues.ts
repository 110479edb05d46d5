/**
 * A file of Markdown for each signature, ready for an issue tracker: the first line is the title,
 * the rest the body. The file's name is the signature's id, which is also in the title; the bundle
 * lies beside it under the same name, as long as it is where the report says.
 */
import { distinctFailures } from './failures.ts';
import { issueOf } from './markdown.ts';
import { type Renderer } from './report.ts';

export interface IssuesDirectory {
  writeFile(name: string, text: string): void;
  /** Nothing when there is no such file. */
  copyFile(name: string, path: string): void;
}

export function issuesRenderer(directory: IssuesDirectory): Renderer {
  return {
    started() {},
    seedTaken() {},
    violated() {},
    finished() {},
    ended(reports) {
      for (const failure of distinctFailures(reports)) {
        const { title, body } = issueOf(failure);
        directory.writeFile(`${failure.id}.md`, `${title}\n\n${body}`);
        if (failure.kept.bundle !== null) directory.copyFile(`${failure.id}.kmb`, failure.kept.bundle);
      }
    },
  };
}
