export const sections = [
  { id: 'components', label: 'Components' },
  { id: 'configurations', label: 'Configurations' },
  { id: 'subscriptions', label: 'Subscriptions' },
  { id: 'topics', label: 'Topics' },
  { id: 'dead-letters', label: 'Dead letters' },
  { id: 'state', label: 'State' },
  { id: 'items', label: 'Configuration items' },
  { id: 'resiliency', label: 'Resiliency' },
  { id: 'actors', label: 'Actors' },
  { id: 'jobs', label: 'Jobs and reminders' },
  { id: 'locks', label: 'Locks' },
  { id: 'calls', label: 'Calls' },
] as const;
