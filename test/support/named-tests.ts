/** The tests that a document names: a file between backticks, then titles in quotes. "…" in a title stands for anything. */

export interface NamedTests {
  readonly file: string;
  /** None: the whole file is named. */
  readonly titles: readonly string[];
}

const NAMED = /`([\w./-]+\.(?:test|contract)\.ts)`((?::?,? "[^"]+")*)/g;

export function namedTests(text: string): NamedTests[] {
  return [...text.matchAll(NAMED)].map(([, file = '', titles = '']) => ({
    file,
    titles: [...titles.matchAll(/"([^"]+)"/g)].map(([, title = '']) => title),
  }));
}

/** Finds the title, or the part of it that is quoted, within one line. */
export function titlePattern(title: string): RegExp {
  return new RegExp(
    title
      .split('…')
      .map((part) => RegExp.escape(part.trim()))
      .join('.*'),
  );
}
