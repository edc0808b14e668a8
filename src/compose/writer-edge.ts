import type { OpenWriterEngines } from '../accept/writer-engines.ts';

export const openEdge: OpenWriterEngines = async () => {
  throw new Error('the profile edge is not offered by this version; use PLAYPROOF_PROFILE=embedded');
};
