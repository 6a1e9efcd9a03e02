package example.giftcardgateway.giftcard;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.StringWriter;
import java.net.URI;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What README.md shows can be copied. */
class ReadmeTest {

  private static final Pattern SNIPPET = Pattern.compile("(?s)```java\n(.*?)```");
  private static final Pattern NAME = Pattern.compile("(?m)^class (\\w+)");

  @TempDir private Path classes;

  private static final class Snippet extends SimpleJavaFileObject {
    final String name;
    private final String code;

    Snippet(String code) {
      super(URI.create("string:///" + nameOf(code) + ".java"), Kind.SOURCE);
      this.name = nameOf(code);
      this.code = code;
    }

    private static String nameOf(String code) {
      var found = NAME.matcher(code);
      assertTrue(found.find(), code);
      return found.group(1);
    }

    @Override
    public CharSequence getCharContent(boolean ignoreEncodingErrors) {
      return code;
    }
  }

  private static List<Snippet> snippets() throws IOException {
    var text = Files.readString(Path.of("..", "README.md"));
    return SNIPPET.matcher(text).results().map(found -> new Snippet(found.group(1))).toList();
  }

  private void compile(List<? extends JavaFileObject> sources) {
    var said = new StringWriter();
    var options =
        List.of(
            "-classpath",
            System.getProperty("java.class.path"),
            "-d",
            classes.toString(),
            "-proc:none",
            "-Xlint:all",
            "-Werror");
    var compiler = ToolProvider.getSystemJavaCompiler();
    var isGood = compiler.getTask(said, null, null, options, null, sources).call();
    assertEquals("", said.toString());
    assertTrue(isGood);
  }

  /** Every snippet compiles without a warning, and those that are tests pass. */
  @Test
  void snippetsWork() throws Exception {
    var snippets = snippets();
    assertFalse(snippets.isEmpty());
    compile(snippets);
    var tests = 0;
    try (var loader = new URLClassLoader(new URL[] {classes.toUri().toURL()})) {
      for (var snippet : snippets) {
        var type = loader.loadClass(snippet.name);
        for (var method : type.getDeclaredMethods()) {
          if (method.isAnnotationPresent(Test.class)) {
            var constructor = type.getDeclaredConstructor();
            constructor.setAccessible(true);
            method.setAccessible(true);
            method.invoke(constructor.newInstance());
            tests++;
          }
        }
      }
    }
    assertEquals(1, tests);
  }
}
