// Runs a file of Flink SQL in one process, as Flink's own client would: SET, tables and views, then the jobs. Run as a source file by java.
// Arguments: the file, a folder for temporary files. Says "running" when all jobs are; ends when they do.
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.table.api.TableResult;

public class FlinkJob {
    static final Pattern TOKEN = Pattern.compile("--[^\n]*|'(?:[^']|'')*'|`(?:[^`]|``)*`|;|[^-'`;]+|-");
    static final Pattern SET = Pattern.compile("SET\\s+'(.*?)'\\s*=\\s*'(.*?)'", Pattern.DOTALL);

    static List<String> statements(String text) {
        List<String> all = new ArrayList<>();
        StringBuilder one = new StringBuilder();
        Matcher tokens = TOKEN.matcher(text);
        while (tokens.find()) {
            String token = tokens.group();
            String before = one.toString().strip();
            boolean inSet = before.startsWith("EXECUTE STATEMENT SET") && !before.endsWith("END");
            if (token.startsWith("--")) {
                continue;
            }
            if (!token.equals(";") || inSet) {
                one.append(token);
                continue;
            }
            all.add(before);
            one.setLength(0);
        }
        return all;
    }

    public static void main(String[] args) throws Exception {
        Configuration options = new Configuration();
        List<String> rest = new ArrayList<>();
        for (String[] fixed : new String[][] {{"rest.address", "127.0.0.1"}, {"rest.bind-address", "127.0.0.1"}, {"rest.bind-port", "0"},
                {"jobmanager.bind-host", "127.0.0.1"}, {"taskmanager.bind-host", "127.0.0.1"}, {"io.tmp.dirs", args[1]}, {"parallelism.default", "1"},
                {"execution.checkpointing.storage", "filesystem"}, {"execution.checkpointing.dir", Path.of(args[1]).toUri().toString()},
                {"taskmanager.memory.network.min", "64mb"}}) {
            options.setString(fixed[0], fixed[1]);
        }
        for (String statement : statements(Files.readString(Path.of(args[0])))) {
            Matcher set = SET.matcher(statement);
            if (set.matches()) {
                options.setString(set.group(1), set.group(2));
            } else {
                rest.add(statement);
            }
        }
        TableEnvironment tables = TableEnvironment.create(EnvironmentSettings.newInstance().withConfiguration(options).build());
        List<TableResult> jobs = new ArrayList<>();
        for (String statement : rest) {
            TableResult result = tables.executeSql(statement);
            if (statement.startsWith("EXECUTE")) {
                jobs.add(result);
            }
        }
        System.out.println("running");
        for (TableResult job : jobs) {
            job.await();
        }
        System.out.println("done");
        System.exit(0);
    }
}
