import type { OpenWriterEngines } from '../accept/writer-engines.ts';

export const openCluster: OpenWriterEngines = async () => {
  throw new Error('the profile cluster is not offered by this version; use PLAYPROOF_PROFILE=embedded');
};
