/** Writes `console/src/api/types.ts` anew. Run it after a change of a route's schema. */
import { writeFileSync } from 'node:fs';
import { wholeDocument } from '../../test/support/whole-document.ts';
import { typesOf } from './api-types.ts';

writeFileSync(new URL('../src/api/types.ts', import.meta.url), typesOf(await wholeDocument()));
