/** Kafka's jars, from Maven Central. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { cacheDirectory, completeMark, KAFKA_VERSION, kafkaLibraries, SLF4J_VERSION } from './places.ts';
import { run, say } from './run.ts';
import { needCommands } from './system-packages.ts';

const TRIES = 3;

export async function installKafka(): Promise<void> {
  await needCommands({ java: 'default-jre-headless' });
  const target = kafkaLibraries();
  if (existsSync(completeMark(target))) {
    say(`Kafka ${KAFKA_VERSION}: already there`);
    return;
  }
  await needCommands({ mvn: 'maven' });
  say(`Kafka ${KAFKA_VERSION}: fetching about 90 jars from Maven Central`);
  await mkdir(cacheDirectory(), { recursive: true });
  const temporary = await mkdtemp(path.join(cacheDirectory(), '.kafka-'));
  try {
    await writeFile(path.join(temporary, 'pom.xml'), pom());
    const jars = path.join(temporary, 'jars');
    await fetchJars(temporary, jars);
    const count = (await readdir(jars)).filter((name) => name.endsWith('.jar')).length;
    await writeFile(completeMark(jars), `${KAFKA_VERSION}\n`);
    // Moved when complete, so that a stopped install leaves nothing that looks whole.
    await rm(target, { recursive: true, force: true });
    await rename(jars, target);
    say(`Kafka ${KAFKA_VERSION}: ${count} jars`);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function fetchJars(directory: string, jars: string): Promise<void> {
  const goal = ['-B', '-q', '-f', path.join(directory, 'pom.xml'), 'dependency:copy-dependencies', '-DincludeScope=runtime'];
  for (let tries = 1; ; tries++) {
    try {
      await run('mvn', [...goal, `-DoutputDirectory=${jars}`]);
      return;
    } catch (error) {
      if (tries === TRIES) throw error;
      say(`Kafka ${KAFKA_VERSION}: Maven failed, trying again (${tries} of ${TRIES - 1})`);
    }
  }
}

/** A project that consists of its dependencies: the broker, its command-line tools, and something that writes their log. */
function pom(): string {
  const dependencies = [
    ['org.apache.kafka', 'kafka_2.13', KAFKA_VERSION],
    ['org.apache.kafka', 'kafka-tools', KAFKA_VERSION],
    ['org.slf4j', 'slf4j-simple', SLF4J_VERSION],
  ].map(
    ([group, artifact, version]) =>
      `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`,
  );
  return (
    '<project><modelVersion>4.0.0</modelVersion><groupId>playproof</groupId><artifactId>engines</artifactId><version>1</version>' +
    `<packaging>pom</packaging><dependencies>${dependencies.join('')}</dependencies></project>\n`
  );
}
