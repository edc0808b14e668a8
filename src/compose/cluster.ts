import type { Compose } from './service.ts';

export const composeCluster: Compose = async () => {
  throw new Error('the profile cluster is not offered by this version; use PLAYPROOF_PROFILE=embedded');
};
