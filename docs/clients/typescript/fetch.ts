// What orval's client sends requests with: it knows no address of the server (orval.config.ts names this function).
export async function petstoreFetch<T>(path: string, options: RequestInit): Promise<T> {
  const response = await fetch(process.argv[2] + path, options);
  const body = await response.text();
  return { status: response.status, headers: response.headers, data: body ? JSON.parse(body) : undefined } as T;
}
