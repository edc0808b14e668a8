import { useState } from 'react';
import { ApiFault, request } from '../api/client.ts';
import { download } from '../lib/download.ts';
import type { ReportQuery } from './report.tsx';

/** The API's own CSV, with the token in a header where it belongs. */
export function ReportCsv({ query }: { readonly query: ReportQuery }) {
  const [state, setState] = useState<{ readonly busy: boolean; readonly fault: string | null }>({ busy: false, fault: null });
  const get = async (): Promise<void> => {
    setState({ busy: true, fault: null });
    try {
      const response = await request('GET /api/v1/reports/plays', { query: { ...query, format: 'csv' } });
      const days = `${query.from?.slice(0, 10)}-to-${query.to?.slice(0, 10)}`;
      download(`plays-${days}.csv`, await response.blob(), 'text/csv');
      setState({ busy: false, fault: null });
    } catch (error) {
      setState({ busy: false, fault: error instanceof ApiFault ? error.message : String(error) });
    }
  };
  return (
    <>
      <button type="button" onClick={() => void get()} disabled={state.busy}>
        CSV
      </button>
      {state.fault !== null && (
        <span className="field-fault" role="alert">
          {state.fault}
        </span>
      )}
    </>
  );
}
