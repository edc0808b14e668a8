import type { Compose } from './service.ts';

export const composeEdge: Compose = async () => {
  throw new Error('the profile edge is not offered by this version; use PLAYPROOF_PROFILE=embedded');
};
