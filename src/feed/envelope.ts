/** How a feed record names itself: CloudEvents 1.0, and the journal position that it came from. */
export const CE_TYPE = 'io.playproof.play.v1';
export const CE_SOURCE = '/playproof';
export const POSITION_HEADER = 'journal_position';
