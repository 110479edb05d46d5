/**
 * A file of Markdown for each signature, ready for an issue tracker: the first line is the title,
 * the rest the body. The file's name is the signature's id, which is also in the title.
 */
import { distinctFailures } from './failures.ts';
import { issueOf } from './markdown.ts';
import { type Renderer } from './report.ts';

export function issuesRenderer(writeFile: (name: string, text: string) => void): Renderer {
  return {
    started() {},
    seedTaken() {},
    violated() {},
    finished() {},
    ended(reports) {
      for (const failure of distinctFailures(reports)) {
        const { title, body } = issueOf(failure);
        writeFile(`${failure.id}.md`, `${title}\n\n${body}`);
      }
    },
  };
}
