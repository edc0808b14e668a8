/** `playproof verify EVIDENCE`: one play, verified offline. */
import type { Command } from 'commander';
import { DEFAULT_RULES } from '../domain/limits.ts';
import { Problem } from '../server/problem.ts';
import { parseStrictJson } from '../server/strict-json-body.ts';
import { CommandFailed, EXIT_FAILED, EXIT_USAGE } from './errors.ts';
import { readBounded } from './files.ts';

const MAX_EVIDENCE_BYTES = 1024 * 1024;
const MAX_KEY_BYTES = 16 * 1024;

interface Options {
  readonly key?: string;
  readonly completionThreshold?: number;
  readonly maxAhead?: number;
  readonly maxAge?: number;
  readonly maxDistance?: number;
}

export function addVerify(program: Command): void {
  program
    .command('verify')
    .description('verify the evidence of a play offline: hash, canonical form, signature, key, verdict')
    .argument('<evidence>', 'file with the answer of GET /api/v1/playback-logs/{log_id}')
    .option('--key <pem>', "file with the device's public key (SPKI PEM) from a source you trust; the evidence must be of this key")
    .option('--completion-threshold <number>', 'where the service was not set to 0.8', numberBetween(0, 1))
    .option('--max-ahead <seconds>', 'where the service was not set to 600', numberBetween(0, 86_400))
    .option('--max-age <seconds>', 'where the service was not set to 86400', numberBetween(60, 31_536_000))
    .option('--max-distance <metres>', 'where the service was not set to 5000', numberBetween(0, 20_100_000))
    .action(async (file: string, options: Options) => {
      const { verifyEvidence } = await import('../query/verify-evidence.ts');
      const document = parse(file);
      const checks = verifyEvidence(document, {
        ...(options.key !== undefined && { trustedKey: readBounded(options.key, MAX_KEY_BYTES).toString('utf8') }),
        rules: {
          ...DEFAULT_RULES,
          completionThreshold: options.completionThreshold ?? DEFAULT_RULES.completionThreshold,
          maxAheadMs: options.maxAhead === undefined ? DEFAULT_RULES.maxAheadMs : options.maxAhead * 1000,
          maxAgeMs: options.maxAge === undefined ? DEFAULT_RULES.maxAgeMs : options.maxAge * 1000,
          maxDistanceM: options.maxDistance ?? DEFAULT_RULES.maxDistanceM,
        },
      });
      for (const { name, ok, saw } of checks) console.log(`${ok ? 'ok    ' : 'FAILED'}  ${name}: ${saw}`);
      const failed = checks.filter(({ ok }) => !ok).length;
      if (failed > 0) process.exitCode = EXIT_FAILED;
      console.log(failed === 0 ? `verified: ${checks.length} checks passed` : `NOT verified: ${failed} of ${checks.length} checks failed`);
    });
}

/** As strictly as a body: what is nested without end, or says the same member twice, is no evidence. */
function parse(file: string): unknown {
  try {
    return parseStrictJson(readBounded(file, MAX_EVIDENCE_BYTES));
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    throw new CommandFailed(`${file}: ${error.detail} Save the whole answer of GET /api/v1/playback-logs/{log_id}.`);
  }
}

function numberBetween(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max)) throw new CommandFailed(`"${text}" is not a number from ${min} to ${max}.`, EXIT_USAGE);
    return value;
  };
}
