/** `closed`: never opened since the start. `refusing`: writes are not confirmed now. A counter holds the place in this list. */
export const JOURNAL_STATES = ['closed', 'refusing', 'open'] as const;
export type JournalState = (typeof JOURNAL_STATES)[number];
