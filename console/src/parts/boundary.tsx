import { Component, type ReactNode } from 'react';

interface State {
  readonly error: Error | null;
}

/** A fault of the console itself: said in words, never a blank page. */
export class Boundary extends Component<{ readonly children: ReactNode }, State> {
  override state: State = { error: null };

  static getDerivedStateFromError(error: unknown): State {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }

  override render(): ReactNode {
    const { error } = this.state;
    if (!error) return this.props.children;
    return (
      <main className="failed">
        <h1>This page failed</h1>
        <p>It is a fault of the console, not of your data. Load it again; if it fails again, this is what to report:</p>
        <pre>{error.message}</pre>
        <p>
          <a href="/console/">Open the console anew</a>
        </p>
      </main>
    );
  }
}
