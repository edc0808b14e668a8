/** Kafka's own Java programs, run with the jars that the installer fetched. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { assertInstalled, kafkaLibraries } from './places.ts';

const JVM = ['-XX:+UseSerialGC', '-Djava.awt.headless=true', '-Dlog4j2.disable.jmx=true', '-Dlog4j2.StatusLogger.level=OFF'];

/** Arguments of `java` for a main class of Kafka. @throws when the jars are not there. */
export function javaArguments(mainClass: string, heapMegabytes: number, logLevel: 'info' | 'error'): string[] {
  assertInstalled('Kafka', kafkaLibraries());
  return [
    `-Xmx${heapMegabytes}m`,
    ...JVM,
    `-Dorg.slf4j.simpleLogger.defaultLogLevel=${logLevel}`,
    '-Dorg.slf4j.simpleLogger.showDateTime=true',
    '-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS',
    '-cp',
    path.join(kafkaLibraries(), '*'),
    mainClass,
  ];
}

export interface ToolResult {
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a tool of Kafka's to its end, e.g. `kafkaTool('org.apache.kafka.tools.TopicCommand', ['--bootstrap-server', …, '--list'])`.
 *
 * @throws with what it wrote, when it exits with another code than 0 or takes longer than `timeoutMs`.
 */
export function kafkaTool(mainClass: string, args: readonly string[], options: { timeoutMs?: number } = {}): Promise<ToolResult> {
  const { timeoutMs = 120_000 } = options;
  return new Promise((resolve, reject) => {
    execFile(
      'java',
      [...javaArguments(mainClass, 512, 'error'), ...args],
      { timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 1024 ** 3 },
      (error, stdout, stderr) => {
        if (error) reject(new Error(`${mainClass} failed: ${error.message}\n${stdout.slice(-2_000)}\n${stderr.slice(-2_000)}`));
        else resolve({ stdout, stderr });
      },
    );
  });
}
