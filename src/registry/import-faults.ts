/** What is wrong with an import document: every fault with its place, told in one problem document. */
import type { Code } from '../domain/codes.ts';
import { Problem } from '../server/problem.ts';

/** Where something stands: by its line (from 1), and its JSON Pointer in the document or in its line. */
export interface Place {
  readonly line: number | null;
  readonly pointer: string;
}

export interface Fault {
  /** Its pointer below the place; absent: the place itself. */
  readonly field?: string;
  readonly told: string;
  /** Absent: invalid_field. */
  readonly code?: Code;
}

/** So many faults are named; the rest is counted. */
const MAX_NAMED = 100;

export class ImportFaults {
  readonly #named: (Place & { readonly told: string; readonly code: Code })[] = [];
  #count = 0;

  add(place: Place, { field = '', told, code = 'invalid_field' }: Fault): void {
    this.#count += 1;
    if (this.#named.length < MAX_NAMED) this.#named.push({ line: place.line, pointer: place.pointer + field, told, code });
  }

  get count(): number {
    return this.#count;
  }

  addAll(other: ImportFaults): void {
    this.#named.push(...other.#named.slice(0, MAX_NAMED - this.#named.length));
    this.#count += other.#count;
  }

  /** A refusal of one item, for each field that it names. */
  addProblem(place: Place, problem: Problem): void {
    for (const field of problem.extra.fields ?? ['']) {
      this.add(place, { field, told: `${problem.code}: ${problem.detail.replace(/\.$/, '')}`, code: problem.code });
    }
  }

  /**
   * The code is that of the first fault. `fields` are pointers into the document; for NDJSON, into the line that the member
   * `line` names, which is the first at fault.
   * @throws Problem
   */
  throwIfAny(): void {
    const problem = this.problem('Nothing was imported');
    if (problem) throw problem;
  }

  /** @param outcome What became of the import, as the beginning of the sentence. Null: nothing is wrong. */
  problem(outcome: string): Problem | null {
    const first = this.#named[0];
    if (!first) return null;
    const told = this.#named.map(({ line, pointer, told: what }) => {
      const place = line === null ? pointer : `line ${line}${pointer === '' ? '' : ` ${pointer}`}`;
      return `${place === '' ? 'the document' : place} ${what}`;
    });
    const more = this.#count > told.length ? `; and ${this.#count - told.length} more` : '';
    const fields = this.#named.filter(({ line }) => line === first.line).map(({ pointer }) => pointer);
    return new Problem(first.code, `${outcome}: ${told.join('; ')}${more}.`, {
      fields: [...new Set(fields)].sort(),
      ...(first.line !== null && { members: { line: first.line } }),
    });
  }
}
