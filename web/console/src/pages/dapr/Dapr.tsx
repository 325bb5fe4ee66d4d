import type { ReactNode } from 'react';
import { Empty, kit, Link, PageHead } from '../../ui/kit';
import { Actors, Calls, Components, Configurations, Jobs, Locks, ResiliencyView, Subscriptions } from './Lists';
import { DeadLetters } from './DeadLetters';
import { Items } from './Items';
import { sections } from './sections';
import { StateBrowser } from './StateBrowser';
import { Topics } from './Topics';
import css from './dapr.module.css';

const views: Record<string, () => ReactNode> = {
  components: () => <Components />,
  configurations: () => <Configurations />,
  subscriptions: () => <Subscriptions />,
  topics: () => <Topics />,
  'dead-letters': () => <DeadLetters />,
  state: () => <StateBrowser />,
  items: () => <Items />,
  resiliency: () => <ResiliencyView />,
  actors: () => <Actors />,
  jobs: () => <Jobs />,
  locks: () => <Locks />,
  calls: () => <Calls />,
};

export function DaprPage({ section }: { section: string }) {
  const view = views[section];
  return (
    <>
      <PageHead title="Dapr" />
      <div className={css['layout']}>
        <nav aria-label="Sections of Dapr">
          <div className={kit['tabs']}>
            {sections.map((s) => (
              <Link key={s.id} to={`/dapr/${s.id}`} aria-current={s.id === section ? 'page' : undefined}>{s.label}</Link>
            ))}
          </div>
        </nav>
        {view ? view() : <Empty>There is no section {section}.</Empty>}
      </div>
    </>
  );
}
