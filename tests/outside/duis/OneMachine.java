// The field's own signing tool over many files in one Java machine: its wrapper starts one for each.
// Arguments: sign or validate, then files. A line a file comes back: the tool's code (0 for success) and the file; what the tool
// wrote is in FILE.said, and its own words are in FILE.why.
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import uk.co.smartdcc.boxed.xmldsig.Sign;
import uk.co.smartdcc.boxed.xmldsig.Validate;

class OneMachine {
    public static void main(String[] words) throws Exception {
        PrintStream out = System.out;
        for (int at = 1; at < words.length; at++) {
            ByteArrayOutputStream said = new ByteArrayOutputStream();
            ByteArrayOutputStream why = new ByteArrayOutputStream();
            System.setOut(new PrintStream(said, true, "UTF-8"));
            System.setErr(new PrintStream(why, true, "UTF-8"));
            String[] file = {words[at]};
            int code = (words[0].equals("sign") ? Sign.main_aux(file) : Validate.main_aux(file)).value();
            System.out.flush();
            Files.write(Path.of(words[at] + ".said"), said.toByteArray());
            Files.write(Path.of(words[at] + ".why"), why.toByteArray());
            out.println(code + "\t" + words[at]);
        }
    }
}
