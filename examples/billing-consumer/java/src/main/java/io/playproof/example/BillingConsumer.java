package io.playproof.example;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.math.BigDecimal;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Adds up the billable seconds of each advertiser from the feed: {@code BillingConsumer BROKERS [--topic NAME] [--once]}. It
 * prints the sums whenever nothing new came for five seconds; with {@code --once} it ends then.
 *
 * <p>It keeps its sums in memory, so it reads everything at each start and commits no offset. One that writes them down would
 * commit its offsets in the same transaction, or write with {@code log_id} as the key and commit afterwards.
 */
public final class BillingConsumer {
  private static final Duration IDLE = Duration.ofSeconds(5);
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Set<String> seen = new HashSet<>();
  private final Map<String, BigDecimal> seconds = new TreeMap<>();

  public static void main(String[] arguments) throws Exception {
    List<String> given = List.of(arguments);
    int topicAt = given.indexOf("--topic");
    String topic = topicAt < 0 ? "playback-logs" : given.get(topicAt + 1);
    new BillingConsumer().run(given.isEmpty() ? "localhost:9092" : given.get(0), topic, given.contains("--once"));
  }

  private void run(String brokers, String topic, boolean once) throws Exception {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", brokers);
    settings.put("group.id", "billing-example-" + ProcessHandle.current().pid());
    // Without it, records of aborted transactions would be billed: the default is read_uncommitted.
    settings.put("isolation.level", "read_committed");
    settings.put("enable.auto.commit", "false");
    settings.put("auto.offset.reset", "earliest");
    settings.put("key.deserializer", StringDeserializer.class.getName());
    settings.put("value.deserializer", StringDeserializer.class.getName());
    try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings)) {
      consumer.subscribe(List.of(topic));
      long last = System.nanoTime();
      boolean told = true;
      while (true) {
        ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(500));
        for (ConsumerRecord<String, String> record : records) bill(JSON.readTree(record.value()));
        if (!records.isEmpty()) {
          last = System.nanoTime();
          told = false;
        } else if (System.nanoTime() - last >= IDLE.toNanos()) {
          if (!told) tell();
          told = true;
          if (once) return;
        }
      }
    }
  }

  private void tell() {
    seconds.forEach((advertiser, sum) -> System.out.println(advertiser + " " + sum.setScale(3)));
  }

  private void bill(JsonNode play) {
    if (!seen.add(play.required("log_id").asText()) || !play.required("billable").asBoolean()) return;
    // As decimal, not as floating point: money follows from it.
    BigDecimal duration = new BigDecimal(play.required("duration_actual").asText());
    seconds.merge(play.required("advertiser_id").asText(), duration, BigDecimal::add);
  }
}
