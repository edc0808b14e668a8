/** Which page stands at which address. Pages beyond the first are loaded when they are opened. */
import { lazy, type ReactNode, Suspense, useEffect } from 'react';
import { Redirect, Route, Switch, useLocation } from 'wouter';
import { Layout } from './parts/layout.tsx';
import { Fault, Loading, Notice } from './parts/basics.tsx';
import { Boundary } from './parts/boundary.tsx';
import { SignInPage } from './pages/sign-in.tsx';
import { useAccess, useMay } from './session/session.tsx';

const Live = lazy(() => import('./pages/live.tsx').then(({ LivePage }) => ({ default: LivePage })));
const Report = lazy(() => import('./pages/report.tsx').then(({ ReportPage }) => ({ default: ReportPage })));
const Play = lazy(() => import('./pages/play.tsx').then(({ PlayPage }) => ({ default: PlayPage })));
const VerifyFile = lazy(() => import('./pages/verify-file.tsx').then(({ VerifyFilePage }) => ({ default: VerifyFilePage })));
const Devices = lazy(() => import('./pages/devices.tsx').then(({ DevicesPage }) => ({ default: DevicesPage })));
const Device = lazy(() => import('./pages/device.tsx').then(({ DevicePage }) => ({ default: DevicePage })));
const Quarantine = lazy(() => import('./pages/quarantine.tsx').then(({ QuarantinePage }) => ({ default: QuarantinePage })));
const Registry = lazy(() => import('./pages/registry.tsx').then(({ RegistryPage }) => ({ default: RegistryPage })));
const Entry = lazy(() => import('./pages/entry.tsx').then(({ EntryPage }) => ({ default: EntryPage })));
const Import = lazy(() => import('./pages/import.tsx').then(({ ImportPage }) => ({ default: ImportPage })));

export function App() {
  const { signIn, again } = useAccess();
  if (signIn.state === 'looking')
    return (
      <main className="sign-in">
        <Loading />
      </main>
    );
  if (signIn.state === 'failed')
    return (
      <main className="sign-in">
        <Fault fault={signIn.fault} onRetry={again} what="The service" />
      </main>
    );
  if (signIn.state === 'out') return <SignInPage reason={signIn.reason} />;
  return (
    <Layout>
      <Pages />
    </Layout>
  );
}

function Pages() {
  const all = useMay('see-all');
  const change = useMay('change');
  const [location] = useLocation();
  useFocusOnNewPage(location);
  return (
    <Boundary key={location}>
      <Suspense fallback={<Loading lines={6} />}>
        <Switch>
          <Route path="/">{all ? <Live /> : <Redirect to="/plays" replace />}</Route>
          <Route path="/plays">
            <Report />
          </Route>
          <Route path="/plays/:id">{({ id }) => <Play key={id} id={id} />}</Route>
          <Route path="/verify">
            <VerifyFile />
          </Route>
          <Route path="/devices">
            <Devices />
          </Route>
          <Route path="/devices/:id">{({ id }) => <Device key={id} id={id} />}</Route>
          <Route path="/quarantine">
            <Quarantine />
          </Route>
          <Route path="/registry">{all ? <Redirect to="/registry/stores" replace /> : <Nowhere role />}</Route>
          <Route path="/registry/import">{change ? <Import /> : <Nowhere role />}</Route>
          <Route path="/registry/:kind">{({ kind }) => (all ? <Registry kind={kind} /> : <Nowhere role />)}</Route>
          <Route path="/registry/:kind/:id">{({ kind, id }) => (all ? <Entry key={id} kind={kind} id={id} /> : <Nowhere role />)}</Route>
          <Route>
            <Nowhere />
          </Route>
        </Switch>
      </Suspense>
    </Boundary>
  );
}

/** Who moves by keyboard or hears the page starts at its heading. Not at the first one: that is where the address led. */
function useFocusOnNewPage(location: string): void {
  useEffect(() => {
    const before = lastLocation;
    lastLocation = location;
    if (before === null || before === location) return;
    scrollTo(0, 0);
    document.getElementById('main')?.focus({ preventScroll: true });
  }, [location]);
}

let lastLocation: string | null = null;

function Nowhere({ role = false }: { readonly role?: boolean }): ReactNode {
  return (
    <>
      <h1>{role ? 'Not for this role' : 'Nothing here'}</h1>
      <Notice>
        {role
          ? 'The token that you signed in with does not allow this page.'
          : 'This address leads to no page of the console. Choose one from the menu.'}
      </Notice>
    </>
  );
}
