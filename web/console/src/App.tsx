import { lazy, Suspense, useCallback, useEffect, useState, type ReactNode } from 'react';
import { onSignedOut } from './api/api';
import { useLoad } from './api/hooks';
import { hub } from './api/stream';
import type { Session } from './api/types';
import { match, usePath } from './router';
import { Shell } from './Shell';
import { Empty, ErrorBox, Link, PageHead, SessionContext, Skeleton, Toasts } from './ui/kit';
import { sections } from './pages/dapr/sections';
import { HomePage } from './pages/Home';
import { SignInPage } from './pages/SignIn';

// The pages come one by one: the first is there at once, the others when they are opened.
const LogsPage = lazy(() => import('./pages/Logs').then((m) => ({ default: m.LogsPage })));
const DaprPage = lazy(() => import('./pages/dapr/Dapr').then((m) => ({ default: m.DaprPage })));
const WorkflowsPage = lazy(() => import('./pages/Workflows').then((m) => ({ default: m.WorkflowsPage })));
const InstancePage = lazy(() => import('./pages/instance/Instance').then((m) => ({ default: m.InstancePage })));
const OrderPage = lazy(() => import('./pages/Order').then((m) => ({ default: m.OrderPage })));
const TracesPage = lazy(() => import('./pages/Traces').then((m) => ({ default: m.TracesPage })));
const TracePage = lazy(() => import('./pages/Trace').then((m) => ({ default: m.TracePage })));
const MetricsPage = lazy(() => import('./pages/Metrics').then((m) => ({ default: m.MetricsPage })));
const AuditPage = lazy(() => import('./pages/Audit').then((m) => ({ default: m.AuditPage })));

const routes: [pattern: string, title: string, page: (p: Record<string, string>) => ReactNode][] = [
  ['', 'Home', () => <HomePage />],
  ['/status', 'Home', () => <HomePage />],
  ['/logs', 'Logs', () => <LogsPage />],
  ['/dapr', 'Dapr', () => <DaprPage section="components" />],
  ['/dapr/:section', 'Dapr', (p) => <DaprPage section={p['section']!} />],
  ['/workflows', 'Workflows', () => <WorkflowsPage />],
  ['/workflows/:app/:id', 'Workflow', (p) => <InstancePage key={`${p['app']}/${p['id']}`} app={p['app']!} id={p['id']!} />],
  ['/order/:id', 'Order', (p) => <OrderPage key={p['id']} id={p['id']!} />],
  ['/traces', 'Traces', () => <TracesPage />],
  ['/traces/:id', 'Trace', (p) => <TracePage key={p['id']} id={p['id']!} />],
  ['/metrics', 'Metrics', () => <MetricsPage />],
  ['/audit', 'Audit', () => <AuditPage />],
];

function Page({ path }: { path: string }) {
  for (const [pattern, title, page] of routes) {
    const found = match(pattern, path);
    if (found)
      return (
        <Titled title={found['id'] ?? (found['section'] ? `${sections.find((s) => s.id === found['section'])?.label ?? title} · ${title}` : title)}>
          <Suspense fallback={<Skeleton rows={8} />}>{page(found)}</Suspense>
        </Titled>
      );
  }
  return (
    <Titled title="Not found">
      <PageHead title="There is no such page" />
      <Empty>
        {path} leads nowhere. <Link to="/">Home</Link> has what runs; Ctrl K jumps to an order, a trace or an app.
      </Empty>
    </Titled>
  );
}

function Titled({ title, children }: { title: string; children: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · Console`;
  }, [title]);
  return children;
}

export function App() {
  const path = usePath();
  const session = useLoad<Session>('/session');
  const [signedOut, setSignedOut] = useState(false);
  useEffect(
    () =>
      onSignedOut(() => {
        hub.close();
        setSignedOut(true);
      }),
    [],
  );
  const { reload } = session;
  const signedIn = useCallback(() => {
    setSignedOut(false);
    reload();
  }, [reload]);

  if (session.data === undefined)
    return <main>{session.error === undefined ? <Skeleton rows={6} /> : <ErrorBox error={session.error} retry={session.reload} />}</main>;
  if (session.data.signInRequired && (!session.data.signedIn || signedOut)) return <SignInPage onSignedIn={signedIn} />;
  return (
    <SessionContext value={session.data}>
      <Toasts>
        <Shell path={path} onSignedOut={session.reload}>
          <Page path={path} />
        </Shell>
      </Toasts>
    </SessionContext>
  );
}
