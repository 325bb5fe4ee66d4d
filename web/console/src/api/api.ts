/** An answer that was no success: the problem details of the API, or what took their place. */
export class ApiError extends Error {
  readonly status: number;
  readonly title: string;
  readonly type: string;

  constructor(status: number, title: string, detail: string, type = '') {
    super(detail || title);
    this.status = status;
    this.title = title;
    this.type = type;
  }
}

const base = '/api/v1';
const listeners = new Set<() => void>();

/** Called when an answer says that nobody is signed in. */
export function onSignedOut(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export type Query = Record<string, string | number | boolean | readonly string[] | null | undefined>;

/** Empty values are left out, lists become repeated parameters. */
export function address(path: string, query: Query = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === null || value === undefined || value === '' || value === false) continue;
    if (Array.isArray(value)) for (const one of value as readonly string[]) parameters.append(name, one);
    else parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return base + path + (text ? `?${text}` : '');
}

/** A segment of a path: ids hold slashes. */
export const segment = encodeURIComponent;

async function problem(response: Response): Promise<ApiError> {
  const fallback = response.statusText || `Status ${response.status}`;
  try {
    const text = await response.text();
    if ((response.headers.get('content-type') ?? '').includes('json')) {
      const body = JSON.parse(text) as { title?: string; detail?: string; type?: string };
      return new ApiError(response.status, body.title ?? fallback, body.detail ?? '', body.type ?? '');
    }
    return new ApiError(response.status, fallback, text.slice(0, 300));
  } catch {
    return new ApiError(response.status, fallback, '');
  }
}

async function send(method: string, path: string, options: { query?: Query; body?: unknown; headers?: Record<string, string>; signal?: AbortSignal | undefined }): Promise<Response> {
  const headers: Record<string, string> = { accept: 'application/json', ...options.headers };
  if (method !== 'GET') headers['x-console'] = '1';
  const init: RequestInit = { method, headers, credentials: 'same-origin' };
  if (options.signal) init.signal = options.signal;
  if (options.body instanceof Blob) init.body = options.body;
  else if (options.body !== undefined) {
    headers['content-type'] = 'application/json';
    init.body = JSON.stringify(options.body);
  }
  let response: Response;
  try {
    response = await fetch(address(path, options.query), init);
  } catch (e) {
    if (options.signal?.aborted) throw e;
    throw new ApiError(0, 'The platform does not answer', 'Is it running? ./platform up starts it.');
  }
  if (response.ok) return response;
  if (response.status === 401 && path !== '/session') for (const listener of listeners) listener();
  throw await problem(response);
}

export async function get<T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> {
  const response = await send('GET', path, { query: query ?? {}, signal });
  return (await response.json()) as T;
}

/** A Blob is sent as it is, everything else as JSON. Answers without a body give undefined. */
export async function change<T = undefined>(method: 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown, headers?: Record<string, string>): Promise<T> {
  const response = await send(method, path, { body, headers: headers ?? {} });
  const text = await response.text();
  return (text && (response.headers.get('content-type') ?? '').includes('json') ? JSON.parse(text) : undefined) as T;
}

export function messageOf(error: unknown): string {
  if (error instanceof ApiError) return error.message === error.title ? error.title : `${error.title}: ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}
