/** A process that appends for ever, printing each end that is durable, until it is killed. */
import { SqliteJournal } from '../../src/journal/sqlite-journal.ts';
import { playOf } from './feed-file.ts';
import { playEntry } from './journal-entries.ts';

const journal = new SqliteJournal(process.argv[2] ?? '');
for (;;) {
  await journal.append(Array.from({ length: 7 }, (_, i) => playEntry(playOf(journal.end + 1 + i))));
  process.stdout.write(`${journal.end}\n`);
}
