/** `vopr show --html`: a run as one file that executes itself in a browser. */
import { basename } from 'node:path';
import { decodeBundle, type Bundle, type BundleCode } from '../../bundles/format.ts';
import { makePlan } from '../../sim/plan.ts';
import { NO_LIMITS } from '../../sim/search/seed_result.ts';
import { record } from '../../sim/search/seed_run.ts';
import { type PageData } from '../page/page_data.ts';
import { pageHtml } from '../page/page_html.ts';
import { pageProgram } from '../page/page_script.ts';
import { writeOutput } from '../render/output.ts';
import { codeVersion } from '../version.ts';
import { bundleFileName, openBundle } from './bundle_file.ts';
import { findCanary, findScenario, recordRun, runsOf, worldOfBundle, worldOfSeed } from './catalogue.ts';
import { requireBundlePath, runOn, type RunSourceOptions } from './observed_run.ts';
import { ownSystemUrl } from './own_system.ts';

export interface WrittenPage {
  /** Bytes of the file. */
  readonly size: number;
  /** The run has the recorded digest on this code; else the page will say that it has not. */
  readonly asRecorded: boolean;
}

/**
 * Writes the page of a bundle, or of a scenario and a seed, to the file `out`. Throws UsageError when
 * the page could not execute the run.
 */
export async function writeTimeTravelPage(
  argument: string,
  { seed, canary }: RunSourceOptions,
  out: string,
): Promise<WrittenPage> {
  let html: string;
  let asRecorded = true;
  if (seed === undefined) {
    requireBundlePath(argument, canary);
    const { bundle, bytes } = openBundle(argument);
    const world = worldOfBundle(bundle);
    await runOn(world);
    asRecorded = world.digest() === bundle.digests.final;
    html = await timeTravelPage(bundle, bytes, argument === '-' ? fileNameOf(bundle) : basename(argument));
  } else {
    html = await seedPageHtml(argument, seed, canary ?? null);
  }
  await writeOutput(out, (output) => output.write(html));
  return { size: Buffer.byteLength(html), asRecorded };
}

/** The page of a bundle as HTML. */
export async function timeTravelPage(bundle: Bundle, bytes: Uint8Array, fileName: string): Promise<string> {
  const { plan } = runsOf(bundle);
  const { code, digests, events, failure, limits, scenario, canary } = bundle;
  const { invariant, message, event, virtualMicros, replicas } = failure;
  const data: PageData = {
    fileName,
    scenario,
    seed: plan.seed,
    canary,
    limits,
    failure: { invariant, message, event, virtualMicros, replicas },
    events,
    digest: digests.final,
    digestTape: base64(digests.tape),
    recordedBy: code,
    madeBy: codeVersion(),
    plan,
  };
  return pageHtml({ program: await pageProgram(ownSystemUrl()), data, bundle: bytes });
}

/** A run that fails is recorded first; one that does not is shown without a bundle. */
async function seedPageHtml(name: string, seed: number, canaryName: string | null): Promise<string> {
  const scenario = findScenario(name);
  const canary = canaryName === null ? null : findCanary(canaryName);
  const code: BundleCode = codeVersion();
  const plan = makePlan(scenario, seed);
  const { bytes } = recordRun({ plan, canary: canary?.name ?? null, limits: NO_LIMITS, code });
  if (bytes !== null) {
    const bundle = decodeBundle(bytes);
    return timeTravelPage(bundle, bytes, fileNameOf(bundle));
  }
  const { result, digests } = record(worldOfSeed({ scenario, seed, canary, limits: NO_LIMITS }));
  const data: PageData = {
    fileName: `${scenario.name}-${seed}`,
    scenario: scenario.name,
    seed: plan.seed,
    canary: canary?.name ?? null,
    limits: NO_LIMITS,
    failure: null,
    events: result.events,
    digest: digests.final,
    digestTape: base64(digests.tape),
    recordedBy: code,
    madeBy: code,
    plan,
  };
  const program = await pageProgram(ownSystemUrl());
  return pageHtml({ program, data, bundle: new Uint8Array(0) });
}

function fileNameOf({ scenario, seed, canary, failure }: Bundle): string {
  return bundleFileName(scenario, seed, canary, failure.invariant);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
