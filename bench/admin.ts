/** The services under measurement are asked as their administrator. */
export const ADMIN_TOKEN = 'bench-only-token-of-no-value-at-all-0001';
export const authorized = { authorization: `Bearer ${ADMIN_TOKEN}` };

/** @param url Where the service listens. */
export async function importRegistry(url: string, registry: object): Promise<void> {
  const response = await fetch(`${url}/api/v1/registry/import`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...authorized },
    body: JSON.stringify(registry),
  });
  if (!response.ok) throw new Error(`the registry was not imported: ${response.status} ${await response.text()}`);
  await response.arrayBuffer();
}
