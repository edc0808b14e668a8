/** MongoDB's first answer to a search holds 101 documents: a look-up of no more needs no cursor, and long lists cost more than several. */
const PIECE = 100;

export function piecesOf<T>(list: readonly T[]): T[][] {
  const pieces: T[][] = [];
  for (let from = 0; from < list.length; from += PIECE) pieces.push(list.slice(from, from + PIECE));
  return pieces;
}
