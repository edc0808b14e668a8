export async function runStages(_directory: string): Promise<string[]> {
  return [];
}
