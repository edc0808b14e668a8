/** Loading a part of the program that a command runs: named by its path under the repository, so that start-up does not pay for it. */
export async function load<Module>(pathFromRoot: string): Promise<Module> {
  return (await import(new URL(`../../${pathFromRoot}`, import.meta.url).href)) as Module;
}
