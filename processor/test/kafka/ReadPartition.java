import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Prints the records of partition 0 as Apache Kafka's own client reads them: `offset key value header`, the last three in
 * Latin-1 as hexadecimal digits, `-` for none. Arguments: bootstrap, topic, how many.
 */
class ReadPartition {
  public static void main(String[] arguments) {
    Map<String, Object> settings = Map.of("bootstrap.servers", arguments[0], "check.crcs", true);
    try (var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      var partition = new TopicPartition(arguments[1], 0);
      consumer.assign(List.of(partition));
      consumer.seekToBeginning(List.of(partition));
      for (int left = Integer.parseInt(arguments[2]); left > 0; ) {
        for (var record : consumer.poll(Duration.ofSeconds(1))) {
          var headers = record.headers().toArray();
          var header = headers.length == 0 ? "-" : hex(headers[0].key().getBytes(StandardCharsets.ISO_8859_1)) + hex(headers[0].value());
          System.out.println(record.offset() + " " + hex(record.key()) + " " + hex(record.value()) + " " + header);
          left--;
        }
      }
    }
  }

  private static String hex(byte[] bytes) {
    return bytes == null ? "-" : "x" + java.util.HexFormat.of().formatHex(bytes);
  }
}
