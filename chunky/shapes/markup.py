"""Shapes of format: LaTeX, Markdown, code, data, addresses and the labels of prompts and transcripts."""

from __future__ import annotations

from chunky.shapes._shape import EDGE, Shape, both, every

__all__ = ["MARKUP"]

_IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*"

# LaTeX proper. `$…$` counts only when it looks like a formula: the signs hug their content, the content is one variable
# or holds one of \ ^ _ { } = < > +, one that begins with a digit holds no words, and after the closing sign comes no
# letter, digit, brace or bracket. So prices ("$5 and $10"), shell and PHP variables ("$a=$b") and template strings
# ("${a}_${b}") are left out; so are plain numbers between signs ("$10$"). `\(…\)` and `\[…\]` need a
# relation, an index or a short variable: regular expressions escape brackets the same way.
_FORMULA_MARK = r"[\\^_{}=<>+]"
_FORMULA_END = r"\$(?:[\s.,;:!?)'\"\]-]|[^\x00-\x7F]|$)"
_NUMERIC = rf"(?:[0-9^_{{}}()=<>+*/., -]|[A-Za-z]{{1,2}}{EDGE}|\\[A-Za-z]+)*"
_LATEX_FORMULA = (
    r"\$[A-Za-z]\$"
    rf"|\$[^\s$0-9][^$\n]*{_FORMULA_MARK}[^$\n]*[^\s$\\]{_FORMULA_END}|\$\\[^$\n]*[^\s$\\]{_FORMULA_END}"
    rf"|\$[0-9]{_NUMERIC}{_FORMULA_MARK}{_NUMERIC}[0-9A-Za-z)}}]{_FORMULA_END}"
)
_LATEX_COMMAND = (
    r"\\(?:[dt]?frac|sqrt|text|mathrm|mathbb|mathbf|mathcal|overline|binom|vec|hat|bar)\s?[{\[]|\\(?:begin"
    r"|end)\{[a-z]+\*?\}|\\left[(\[|.\\]|\\(?:cdot|times|leq|geq|neq|le|ge|ne|pm|infty|sum|prod|int|lim|alpha|beta"
    r"|theta|lambda|pi|sin|cos|tan|log|ln|angle|triangle|circ|ldots|cdots|equiv|approx|pmod|in|subset|cup|cap|to"
    r"|rightarrow|implies)(?:[^A-Za-z\\\n]|$)"
)
_LATEX_BRACKET = (
    r"\\\([^\\\n]*[=^_][^\\\n]*\\\)|\\\( ?[A-Za-z0-9]{1,3} ?\\\)|\\\[\s*[^\\]*[=^_][^\\]*\\\]|\$\$[^$]+\$\$"
)

# The box with the dollars or brackets that hold nothing else; nested braces one level deep.
_BOX = r"(?:\$\$?|\\[(\[])?\s*\\f?boxed\s?\{(?:[^{}\n]|\{[^{}\n]*\})*\}[.\s]*(?:\$\$?|\\[)\]])?"

_CODE_OPENING = (
    rf"^\s*(?:(?:async )?def {_IDENTIFIER}\s?\(|class {_IDENTIFIER}\s*[:({{]"
    rf"|import [A-Za-z0-9_.*]+(?: as {_IDENTIFIER})?(?:, ?[A-Za-z0-9_.]+)*;?[ \t\r]*(?:\n|$)"
    rf"|import [A-Za-z_{{*][^\n]* from ['\"]|from [A-Za-z0-9_.]+ import |#include\s*[<\"]|#!/|<\?php"
    rf"|package [a-z0-9_.]+;?[ \t\r]*\n|using [A-Za-z.]+;|(?:public|private|protected|static) [A-Za-z<>\[\] ]+[({{]"
    rf"|(?:export )?(?:async )?function ?\*? ?(?:{_IDENTIFIER})?\s?\("
    rf"|(?:const|let|var) [A-Za-z_${{\[][A-Za-z0-9_, $\]}}]*(?:: ?[A-Za-z<>\[\]]+)? ?=|(?:pub )?fn {_IDENTIFIER}[(<]"
    rf"|func (?:\([^)\n]*\) )?{_IDENTIFIER}\(|(?:int|void|double|float|char|bool|string) {_IDENTIFIER}\([^)\n]*\)\s*\{{"
    rf"|@{_IDENTIFIER}[^\n ]*\n\s*(?:def|class|public) |for {_IDENTIFIER} in [^\n]+:\s*\n|print\("
    rf"|{_IDENTIFIER} = [^\n]+\n{_IDENTIFIER}(?: = |\())"
)

# Commands that are also English words need an option, a path or a pipe; those with subcommands need one.
_COMMAND = (
    r"(?m)^[ \t]*(?:[$#>] )?(?:sudo )?(?:find|ls|cat|grep|egrep|sed|awk|cut|sort|head|tail|cp|mv|rm|mkdir|chmod|chown"
    r"|tar|curl|wget|ssh|scp|rsync|echo|xargs|du|df|ps|kill|export|cd|touch|diff|wc|python3?|node|bash|sh|which"
    r"|make) (?:[-.~/$*][^\s]|(?:[^\n]* )?(?:-{1,2}[A-Za-z]|\| [a-z]+ -?))"
    r"|(?m)^[ \t]*(?:[$#>] )?(?:sudo )?(?:git (?:clone|commit|push|pull|add|checkout|status|init|log|diff|merge"
    r"|rebase)|pip3? install|npm (?:install|run|init|i) ?|yarn add|conda install|brew install|apt(?:-get)? (?:install"
    r"|update)|docker (?:run|build|pull|exec|compose)|kubectl (?:get|apply|describe|delete)|sudo [a-z]+)"
)

_YAML_KEY = r"[ \t]*(?:- )?[a-z_][a-z0-9_.-]*:"
_SPEAKER = r"[*]*[A-Z][A-Za-z.]*(?: [A-Z0-9][A-Za-z.]*)?[*]*:[* ]+\S"

_SQL = (
    r"(?s)\bSELECT\b.+\bFROM\b|\b(?:INSERT INTO|DELETE FROM|CREATE (?:OR REPLACE )?(?:TEMP(?:ORARY)? )?(?:TABLE|VIEW"
    r"|INDEX|DATABASE)|ALTER TABLE|DROP TABLE)\b|\bUPDATE\s+\S+\s+SET\b|(?im)^\s*select (?:\*"
    r"|[a-z0-9_.(*)]+(?:, ?[a-z0-9_.(*)]+)*) from [a-z0-9_.\"`]+\s*(?:;|where |join |group by |$)"
).replace(r"\b", EDGE)

_HTML = r"</[A-Za-z][A-Za-z0-9:_-]*>|<(?:br|hr|img|input|meta|link)(?:\s[^<>]*)?/?>|<!DOCTYPE|<\?xml|<!--"

_FILE_PATH = (
    r"(?:^|[\s\"'`(=])(?:~|\.{1,2})?/(?:[A-Za-z0-9_.*-]+/)+[A-Za-z0-9_.*-]*|(?:^|[\s\"'`(=])~/[A-Za-z0-9_.]|(?:^"
    r"|[\s\"'`(])[A-Za-z]:\\[A-Za-z0-9_]|[A-Za-z0-9_-]\.(?:py|txt|csv|tsv|json|jsonl|xml|html|css|md|pdf|docx?|xlsx?"
    r"|png|jpe?g|gif|zip|gz|sh|sql|ya?ml|log"
    rf"|exe|mp[34]|ipynb|cpp|java){EDGE}"
)

_UNFILLED_SLOT = (
    r"\{\{\s*[A-Za-z_][A-Za-z0-9_ .]*\s*\}\}|<(?:your|insert|enter)[ _-][a-z _-]+>|<[A-Z][A-Z_ ]{2,}>"
    r"|\[[A-Z][A-Z_ ]{4,}\]|(?i)\[(?:your|insert|enter|company|recipient|sender|first|last|full|customer|client|user"
    r"|manager|employer|product|city|date|address|phone|email|name)(?:[ '’_-][^\]\n]*)?\]"
)

_TOOL_CALL = (
    r"(?m)^\s*(?:Action|Tool|Tool Call|Function|Function Call|Action Input|API Call):\s*[\[{(]?[A-Za-z_]+\s?[(\[{]"
    r"|(?m)^\s*Action(?: Input)?(?: [0-9]+)?:\s*\S|<\|?(?:tool_call|function_call|python_tag)"
    r"|\"(?:function_call|tool_calls?|arguments)\"\s*:"
    # a call and its result inside the sentence; without the arrow, lists of calls in Python code would count
    r"|\[[A-Z][A-Za-z]+\([^()\n]*\)\s*(?:->|→)[^\]\n]*\]"
    rf"|\A\s*{_IDENTIFIER}(?:\.{_IDENTIFIER})*\((?:{_IDENTIFIER}\s*=[^\n]*)?\)\s*\z"
)

_MATH = (
    both(
        "latex",
        "contains LaTeX formulas (a box around a result aside)",
        # A box alone is not counted: otherwise every mix that boxes its results would hold the same rows twice.
        lambda text: text.str.replace_all(_BOX, "").str.contains(f"{_LATEX_FORMULA}|{_LATEX_COMMAND}|{_LATEX_BRACKET}"),
    ),
    both("boxed_result", "contains a LaTeX box around a result", r"\\f?box(?:ed)?\s?\{"),
    both(
        "latex_environment",
        "contains a LaTeX environment or display",
        r"\\begin\{[a-z]+\*?\}|\$\$[^$]+\$\$|\\\[[^\\]|\\\[\\[a-z]{3}",
    ),
)

_MARKDOWN = (
    both("code_fence", "contains a fenced code block", r"(?m)^[ \t>]*(?:```|~~~)"),
    both("code_fence_opening", "opens with a fenced code block", r"^\s*(?:```|~~~)"),
    both(
        "python_fence", "contains a code block fenced as Python", r"(?im)^[ \t>]*(?:```|~~~) ?(?:python|py)[0-9]?\s*$"
    ),
    both("unlabeled_fence", "contains a code block fenced without a language", r"(?s)^(?:[^`]|`[^`])*```[ \t\r]*\n"),
    both("inline_code", "contains inline code between backticks", r"(?:^|[^`])`[^`\n]+`(?:[^`]|$)"),
    both(
        "numbered_list",
        "contains a numbered list",
        r"(?s)(?:^|\n)[ \t]*(?:\*\*)?1[.)、][ \t]*[^\s0-9].*\n[ \t]*(?:\*\*)?2[.)、][ \t]*[^\s0-9]",
    ),
    both("bullet_list", "contains a bullet list", r"(?s)(?:^|\n)[ \t]*[-*•·–+] +\S.*\n[ \t]*[-*•·–+] +\S"),
    both(
        "heading",
        "contains a Markdown heading",
        r"(?m)^#{2,6} +(?:\p{L}|[0-9]+[.)]|[*\"“]|[^\x00-\x7F])|^#+ +\p{L}[^\n]*\n\s*\n",
    ),
    both("bold", "contains bold text", r"(?m)(?:^|[\s(\[>|:\"'-]|[^\x00-\x7F])\*\*[^\s*](?:[^*\n]*[^\s*])?\*\*"),
    both("bold_item_labels", "labels list items in bold", r"(?m)^[ \t]*(?:[-*•]|[0-9]+[.)])[ \t]+\*\*[^*\n]+\*\*"),
    both("table", "contains a Markdown table", r"(?m)^[ \t]*\|?[ \t]*:?-{2,}:?[ \t]*\|[-:| \t]*\r?$"),
    both("horizontal_rule", "contains a horizontal rule", r"(?m)\n\s*(?:-{3,}|\*{3,}|_{3,}|={3,})[ \t\r]*\n"),
    both("block_quote", "contains a block quote", r"(?m)^> ?\p{L}"),
)

_CODE = (
    both("bare_code", "begins with code outside any fence", _CODE_OPENING),
    both(
        "python_code",
        "contains Python code",
        rf"(?m)^[ \t]*(?:def {_IDENTIFIER}\([^\n]*\)[^\n]*:|from [a-z0-9_.]+ import "
        rf"|import [a-z0-9_.]+(?: as [a-z]+)?[ \t\r]*$|(?:if|elif|for|while|with) [^\n]+:[ \t\r]*$|print\(f?[\"'a-z])",
    ),
    both(
        "braced_code",
        "contains code in a language with braces",
        r"(?m)(?:[)=>]|else|try|class [A-Za-z]+)\s*\{[ \t\r]*$|\);[ \t\r]*$",
    ),
    both("shell_command", "contains a shell command", _COMMAND),
    both("sql_statement", "contains a SQL statement", _SQL),
    both("diff", "contains a diff", r"(?m)^(?:diff --git |@@ -[0-9]+(?:,[0-9]+)? \+[0-9]+|--- [ab]/|\+\+\+ [ab]/)"),
    both(
        "stack_trace",
        "contains an error message or stack trace",
        r"(?m)Traceback \(most recent call last\)|^\s+at [A-Za-z0-9_.$<>]+ ?\([A-Za-z0-9_.:/ -]+(?::[0-9]+)+\)"
        r"|Exception in thread |^\s*File \"[^\"\n]+\", line [0-9]+|^(?:[A-Za-z_.]+\.)?[A-Z][A-Za-z]+(?:Error"
        r"|Exception): \S",
    ),
    both(
        "code_comment", "contains a comment in code", r"(?m)^[ \t]+# \S|[;{})] *// \S|^[ \t]*(?:// \S|/\*)|[)\]] +# \S"
    ),
    both("docstring", "contains a docstring", r"(?m)^[ \t]*[rf]?(?:\"\"\"|''')"),
    both("function_call", "names a function with parentheses in prose", rf"(?:^|[ `]){_IDENTIFIER}\(\)(?:[ `.,?]|$)"),
)

_DATA = (
    both("url", "contains a web address", rf"(?i)https?://[^\s]|{EDGE}www\.[a-z0-9-]+\.[a-z]"),
    both("email_address", "contains an e-mail address", r"[A-Za-z0-9_.+-]+@[A-Za-z0-9-]+\.[A-Za-z]{2,}"),
    both("file_path", "names a file or a path", _FILE_PATH),
    both(
        "json",
        "contains a JSON object or is a JSON array",
        r"""(?s)\{\s*["'][^"'\n]+["']\s*:\s*[\["'0-9{tfn-]|^\s*\[\s*(?:["{\[]|-?[0-9.]+\s*,).*\]\s*$""",
    ),
    both(
        "list_literal",
        "contains a list in brackets",
        r"\[\s*(?:-?[0-9.]+|\"[^\"\n]*\"|'[^'\n]*')(?:\s*,\s*(?:-?[0-9.]+|\"[^\"\n]*\"|'[^'\n]*'))+\s*\]",
    ),
    both("html_tags", "contains HTML or XML tags", _HTML),
    both(
        "yaml_lines",
        "contains lines in the manner of YAML",
        rf"(?m)(?:^{_YAML_KEY}(?:[ \t]+(?:[^\s{{][^\n;{{]*)?[^\s;{{,])?[ \t\r]*\n){{2,}}{_YAML_KEY}(?:\s|$)",
    ),
    both(
        "csv_lines",
        "contains lines of comma-separated values",
        r"(?m)(?:^[^\s,(){};=<>][^,\n(){};=<>]*(?:,[^,\s(){};=<>][^,\n(){};=<>]*){2,}\r?\n){2,}[^\s,][^,\n]*,[^,\s]",
    ),
    both(
        "key_value_lines",
        "has lines of the form “Key: value”",
        r"(?s)(?:^|\n)[ \t*-]*[A-Z][A-Za-z0-9 ()/'_-]*:[* ]*\S.*\n[ \t*-]*[A-Z][A-Za-z0-9 ()/'_-]*:[* ]*\S",
    ),
    both("unfilled_slot", "contains an unfilled template slot", every(_UNFILLED_SLOT, no=r"</[A-Z]{2}")),
)

_LABELS = (
    both(
        "lettered_options",
        "contains lettered options",
        r"(?s)(?:^|\n)[ \t*-]*\(?[Aa][).:][ \t]*\S[^\n]*\n\s*[*-]*\s*\(?[Bb][).:][ \t]*\S|\(A\)\s*\S.*\(B\)\s*\S|(?:^"
        r"|\s)A\) ?\S.*\sB\) ?\S",
    ),
    both(
        "numbered_parts",
        "numbers its parts inside a line",
        r"(?:^|[\s(:;,.])\(?1[.)] ?[^\n0-9][^\n]*[ ;,.]\(?2[.)] ?[^\s0-9]|[①❶][^②❷]*[②❷]",
    ),
    both(
        "two_parts",
        "has exactly two marked parts",
        every(
            r"(?s)(?:^|\s|\*)\((?:a|i|1)\).*[\s*]\((?:b|ii|2)\)|(?:^|\n)\s*(?:a|1)[).] .*\n\s*(?:b|2)[).] "
            r"|(?i)(?:^|\s|\*)part (?:a|i|1|one)\b.*part (?:b|ii|2|two)\b".replace(r"\b", EDGE),
            no=r"(?:^|[\s*])\((?:c|iii|3)\)|\n\s*(?:c|3)[).] |(?i)part (?:c|iii|3|three)\b".replace(r"\b", EDGE),
        ),
    ),
    both("step_labels", "labels its steps", rf"(?i)(?:^|[\s*#(])step (?:1|one){EDGE}"),
    both(
        "speaker_labels",
        "is a dialogue with speaker names",
        rf"(?:^|\n)[ \t]*{_SPEAKER}[^\n]*\n\s*{_SPEAKER}[^\n]*\n\s*{_SPEAKER}",
    ),
    both(
        "chat_markup",
        "contains the markup of a chat transcript",
        r"<\|[a-z_]+\|>|\[/?INST\]|</?s>|(?m)^#{2,3} ?(?:Instruction|Response|Human|Assistant|User|System)\b"
        r"|^(?:Human|Assistant|User|AI|Bot|System):(?:\s|$)".replace(r"\b", EDGE),
    ),
    both("tool_call", "contains a tool call", _TOOL_CALL),
    both(
        "question_answer_labels",
        "labels questions and answers",
        r"(?im)^\W*(?:question|q)(?: ?[0-9]+)?\s?[:：]|[.\n]\W*(?:question|q)(?: ?[0-9]+)?\s?[:：]",
    ),
    both(
        "input_output_labels",
        "labels an input or an output",
        r"(?im)^[\s*#]*(?:sample |example |expected )?(?:input|output)s?(?: format)?(?: ?[0-9]+)?\s?[*]*[:：]",
    ),
    both(
        "stage_direction",
        "describes an action between asterisks",
        r"(?:^|\s)\*(?:[A-Za-z]+(?: [^*\n]*)? [^*\n]*[A-Za-z.!]|[a-z]{3,}s)\*(?:[\s.,!?]|$)",
    ),
)

MARKUP: tuple[Shape, ...] = (*_MATH, *_MARKDOWN, *_CODE, *_DATA, *_LABELS)
