"""Shapes of answering: openings, refusals, registers of caution, ways of reasoning and closings of a response."""

from __future__ import annotations

from chunky.shapes._shape import EDGE, Expression, Shape, both, response, words

__all__ = ["ANSWERS"]

_START = r"(?i)^\W*"
_CANNOT = (
    "(?:cannot|can not|can['’]t|won['’]t|will not|could not|couldn['’]t|(?:am|['’]m) (?:unable|not able|not allowed"
    "|not permitted|not comfortable|not programmed|not going)(?: to| with)?|must decline to|have to decline to"
    "|refuse to)"
)
_HELP = (
    "(?:help|assist|provide|comply|fulfil?l|answer|create|generate|write|engage|support|do (?:that|this|so)|discuss"
    "|share|offer|give|participate|continue|recommend|condone|encourage|promote|suggest|produce|respond|complete"
    "|access|endorse|make)"
)
_AI = "(?:ai|a\\.i\\.|artificial intelligence|(?:ai |large )?language model|chatbot|virtual assistant)"
_EXPERT = (
    "(?:doctor|physician|professional|lawyer|attorney|specialist|therapist|pharmacist|dermatologist|dentist"
    "|psychologist|psychiatrist|counsell?or|veterinarian|vet|(?:financial|tax|legal) advis[eo]r|accountant|expert"
    "|provider|dietitian|nutritionist|pediatrician|gynecologist)s?"
)


def _opening(word: str) -> str:
    return f"{_START}(?:{word}){EDGE}"


def _in_tail(regex: str, characters: int = 300) -> Expression:
    """A match in the last characters: a closing phrase takes one or two sentences."""
    return lambda text: text.str.strip_chars_end().str.tail(characters).str.contains(regex)


_OPENINGS = (
    response("yes_opening", "opens with “Yes”", _opening("yes|yeah|yep|yup")),
    response(
        "no_opening", "opens with “No”", r"(?i)^\W*(?:no|nope)(?:[,.!;:\n]| it | they | you | i | he | she | there |$)"
    ),
    response("sure_opening", "opens with “Sure”", _opening("sure")),
    response("of_course_opening", "opens with “Of course”", _opening("of course")),
    response(
        "certainly_opening", "opens with “Certainly” or “Absolutely”", _opening("certainly|absolutely|definitely")
    ),
    response(
        "sorry_opening",
        "opens with an apology",
        _opening(
            "(?:i['’]m|i am|we['’]re)(?: so| very| really| truly| deeply)? sorry|sorry|i apologi[sz]e|my apologies"
            "|apologies|unfortunately"
        ),
    ),
    response("as_an_ai_opening", "opens with “As an AI”", _opening(f"as an? (?:[a-z]+ )?{_AI}")),
    response(
        "here_is_opening",
        "opens with “Here is” or “Here are”",
        _opening("here(?: is| are|['’]s|s)|below (?:is|are)|the following"),
    ),
    response(
        "praise_opening",
        "opens with praise",
        rf"{_START}(?:(?:what|that['’]s|that is|this is) an? )?(?:great|excellent|good|wonderful|fantastic|awesome"
        rf"|amazing"
        r"|interesting|fascinating|lovely|thoughtful)(?: (?:question|idea|point|choice|job|work|topic))?[!.,]",
    ),
    response(
        "okay_opening",
        "opens with “Okay”, “Well” or “Alright”",
        r"(?i)^\W*(?:okay|ok|alright|all right|well|right|so)[,.!]",
    ),
    response(
        "empathy_opening",
        "opens with empathy",
        _opening(
            "i(?: can)?(?: completely| totally| fully)? (?:understand|hear|see|feel)|i['’]m (?:so |really "
            "|very )?sorry to hear|that (?:sounds|must be|must feel)|it sounds like|i can imagine"
        ),
    ),
    response("goal_opening", "opens by naming the goal (“To …,”)", r"^\W*(?:To|In order to) [a-z]+[^.\n]*[,:]"),
    response(
        "it_depends_opening",
        "opens with “It depends” or “There is no”",
        _opening("(?:well, )?it (?:really )?depends|there(?: is|['’]s) no|there(?: are|['’]s) (?:many|several|a few)"),
    ),
    response(
        "evidence_opening",
        "opens with “Given”, “Based on” or “According to”",
        _opening("given|based on|according to|from the"),
    ),
    response("let_us_opening", "opens with “Let’s” or “We”", _opening("let['’]?s|let us|let me|let [a-z]|we|first")),
    response(
        "answer_opening",
        "opens with the label “Answer”",
        _opening("(?:the )?(?:final |correct )?answer(?: is|:)?|a:|solution"),
    ),
)

_STANCE = (
    response(
        "refusal",
        "refuses to help",
        rf"(?i){EDGE}I\s?{_CANNOT} {_HELP}{EDGE}|{EDGE}I (?:must|have to|need to) (?:decline|refuse){EDGE}"
        rf"|{EDGE}I(?: do not|['’]m sorry,? but I| don['’]t) (?:can['’]t|cannot|feel comfortable"
        rf"|have the ability){EDGE}|{EDGE}(?:sorry|apologize),? (?:but )?(?:I|we) {_CANNOT}",
    ),
    both(
        "apology",
        "apologizes",
        words(
            "(?:i['’]m|i am|we['’]re|we are)(?: so| very| really| truly| deeply| terribly)? sorry|apologi[sz]e|(?:my"
            "|our|sincere) apologies|apologies for|sorry (?:for|but|about|to hear|that)"
        ),
    ),
    response(
        "ai_self_reference",
        "speaks of itself as an AI",
        words(
            f"(?:as|i['’]m|i am|just|being|am) an? (?:[a-z]+ )?{_AI}|i (?:don['’]t|do not) have (?:personal|feelings"
            f"|emotions"
            "|a physical|consciousness|the ability)|my training data|i (?:was|am) (?:trained|programmed|designed)"
        ),
    ),
    response(
        "hedging",
        "hedges",
        words(
            "perhaps|probably|possibly|it (?:seems|appears)|i think|i believe|i['’]m not sure"
            "|it['’]?s (?:is )?possible|presumably|may or may not|it is (?:likely|possible|unclear)|arguably|might be"
        ),
    ),
    response(
        "caveat",
        "adds a note of caution",
        words(
            "(?:it['’]s|it is)(?: also)? (?:important|worth|crucial|essential|necessary"
            "|vital)(?: noting)?(?: to (?:note|remember|understand|consider|keep))?|please note|note that|keep in mind"
            "|bear in mind|be aware|be careful"
        ),
    ),
    response(
        "expert_referral",
        "refers the user to a professional",
        rf"(?i){EDGE}(?:consult|consulting|speak|talk|see|seek|contact|visit|ask|reach out|refer)(?:ing)?(?: with| to"
        rf"| from| help| advice)*(?: an?| your| the)?(?: [\w-]+){{0,3}}? {_EXPERT}{EDGE}|{EDGE}(?:seek"
        rf"|get) (?:immediate )?(?:medical|professional|legal) (?:attention|help|advice|care){EDGE}",
    ),
    response(
        "disclaimer",
        "disclaims advice or liability",
        words(
            "not (?:a substitute|intended) (?:for|as|to)|(?:medical|legal|financial) advice|i(?:['’]m"
            "| am) not a (?:doctor|lawyer|medical|financial|licensed)|for (?:informational|educational) purposes"
            "|at your own risk|disclaimer"
        ),
    ),
    response(
        "moral_appeal",
        "appeals to ethics, law or safety",
        words(
            "unethical|immoral|illegal|ethical(?:ly)?|morally|against the law|inappropriate|harmful|not appropriate"
            "|respectful|offensive|discriminatory"
        ),
    ),
    response(
        "knowledge_limit",
        "says that it does not know or lacks access",
        words(
            "i(?: do not|['’]m afraid i don['’]t| don['’]t) (?:know|have (?:access|information|enough|any information"
            "|the (?:ability|information)))|knowledge cut-?off|(?:last|latest) (?:update|knowledge)|not (?:possible to"
            "|enough information)|cannot (?:determine|verify|confirm|predict|be determined)|i(?:['’]m| am) not (?:sure"
            "|aware|familiar)"
        ),
    ),
    response(
        "clarification_request",
        "asks the user for more information",
        words(
            "could you(?: please)? (?:provide|clarify|specify|tell|explain|give|share|elaborate)"
            "|can you(?: please)? (?:provide|clarify|specify|tell me|give me|share|elaborate)|please (?:provide"
            "|clarify|specify|share|let me know what)|more (?:details|context|information) (?:about|on)"
        ),
    ),
    response(
        "premise_correction",
        "corrects a premise of the question",
        words(
            "contrary to|misconception|misunderstanding|there(?: is|['’]s)(?: no| not) such|does(?: not|n['’]t) exist"
            "|is(?: not|n['’]t) (?:true|correct|accurate)|incorrect|myth|false premise"
        ),
    ),
    response(
        "encouragement",
        "encourages or wishes well",
        words(
            "good luck|you can do|stay (?:strong|positive|safe)|don['’]t give up|keep (?:going|up)|best wishes"
            "|take care|congratulations|proud of you|hang in there|you['’]re not alone|enjoy"
        ),
    ),
    response(
        "recommendation",
        "recommends a course of action",
        words(
            "you (?:should|could|can|might want to|may want to|need to)|i(?: would|['’]d)? (?:recommend|suggest"
            "|advise)|try to|make sure|consider|it is (?:best|recommended|advisable)"
        ),
    ),
)

_REASONING = (
    response(
        "answer_statement",
        "states “the answer is”",
        rf"(?i){EDGE}(?:the|my|your|so|final|correct|our) (?:final |correct |right "
        rf"|best )?answer(?: to [^.\n]+)?(?: is|:| would be| should be)|(?m)^\W*answer\s?[:：]",
    ),
    response("hash_answer_closing", "closes with “####” and a number", r"####\s*[-+−$]?\s?[0-9][0-9,.]*\s?%?\s*$"),
    response(
        "yes_no_only", "is nothing but yes or no, true or false", r"(?i)^\W*(?:yes|no|true|false|是|否|对|不是)\W*$"
    ),
    response("single_letter_option", "is a single option letter", r"^\s*[(\[]?[A-Ea-e][)\].:]*\s*$"),
    response("option_letter_opening", "opens with an option letter", r"^\s*(?:\([A-E]\)|[A-E][).:])\s+\S"),
    response(
        "lets_think",
        "announces that it thinks step by step",
        words(
            "let(?:['’]s|s| us| me) (?:think|start|begin|solve|break|consider|work|see|first|analy[sz]e|look)"
            "|step[- ]by[- ]step"
        ),
    ),
    response(
        "think_tags",
        "contains tags around its thinking",
        r"(?i)<\|?/?(?:think|thinking|thought|reasoning|scratchpad|reflection)\|?>",
    ),
    response(
        "ordered_steps",
        "orders its reasoning with first, then, finally",
        rf"(?is){EDGE}first(?:ly)?,? .*(?:{EDGE}(?:then|next|second|secondly|after that|finally|lastly),? )",
    ),
    response(
        "therefore",
        "concludes with therefore or thus",
        words("therefore|thus|hence|consequently|as a result|it follows that"),
    ),
    response("so_conclusion", "opens a sentence with “So”", r"(?:^|[.!?\n]\s?)So,? [a-z0-9$]"),
    response(
        "conclusion_phrase",
        "announces a conclusion",
        words("in conclusion|in summary|to sum(?: it)? up|overall|to summari[sz]e|to conclude|in short|ultimately"),
    ),
    response("example_phrase", "introduces an example", words("for example|for instance|e\\.g|such as")),
    response(
        "contrast",
        "opens a sentence with a contrast",
        r"(?:^|[.!?]\s|\n)(?:However|But|Nevertheless|On the other hand|Although|Though|While|Despite)[ ,]",
    ),
    response(
        "addition",
        "opens a sentence with an addition",
        r"(?:^|[.!?]\s|\n)(?:Additionally|Furthermore|Moreover|In addition|Also|Besides)[ ,]",
    ),
    response("reason", "gives a reason with because or since", words("because|the reason (?:is|for|why)|due to")),
    response(
        "self_correction",
        "corrects itself",
        r"(?i)(?:^|[.!?\n—]\s?)(?:(?:no,? )?wait[,.!…—]|hmm+[,.!…—]|(?:actually, (?:no|wait|let)|on second thought"
        r"|let me (?:re-?check|re-?consider|double[- ]check|try again|redo|correct)|i made an? (?:mistake|error)|oops"
        rf"|scratch that){EDGE})",
    ),
    response(
        "verification",
        "checks its result",
        words(
            "let['’]?s (?:check|verify)|let me (?:check|verify)|we can (?:check|verify)|to (?:check|verify|confirm)"
            "|double[- ]check|check (?:our|the|my) (?:answer|result|work)"
        ),
    ),
    response(
        "variable_setup",
        "sets up a variable (“Let x be”)",
        rf"{EDGE}[Ll]et(?:'s)? \$?\\?[A-Za-z](?:_[0-9a-z]+)?(?:\([a-z]\))?\$? (?:be|denote|represent){EDGE}"
        rf"|{EDGE}Let \$?[A-Za-z] ?=",
    ),
    response(
        "cited_source",
        "cites a source",
        rf"(?i:{EDGE}according to{EDGE})|et al\.|[.;”]\s?\[[0-9]{{1,2}}\]|\([A-Z][A-Za-z&. ]+,? (?:19"
        rf"|20)[0-9]{{2}}[a-z]?\)|(?im)^\W*(?:sources?|references?|bibliography|works cited)\W*$|{EDGE}(?:a study"
        rf"|studies|research) (?:by|from|published|shows?|suggests?|has shown)",
    ),
)

_CLOSINGS = (
    response(
        "help_offer_closing",
        "closes with an offer of help",
        _in_tail(
            words(
                "let me know|feel free to|(?:don['’]t|do not) hesitate|happy to help|glad to help|if you (?:have"
                "|need) (?:any|more|further|other|some|help)(?: [a-z]+)*|anything else|how (?:can|may) i (?:help"
                "|assist)|i['’]m here to|here to help"
            )
        ),
    ),
    response(
        "hope_closing",
        "closes with the hope to have helped",
        _in_tail(
            words(
                "(?:i )?hope (?:this|that|it|these|i)(?: [a-z]+){0,3} (?:helps?|helpful|useful|answers?|clear"
                "|clarif(?:y|ies)|correct|helped|assist)"
            )
        ),
    ),
    response("exclamation_ending", "ends with an exclamation mark", r"[\p{L})][!！]+[\"'”’)]*\s*$"),
    both(
        "sign_off",
        "signs off like a letter",
        _in_tail(
            r"(?im)(?:^|\n|\. )[ \t]*(?:best (?:regards|wishes)|(?:kind |warm |warmest )?regards|sincerely(?: yours)?"
            r"|yours (?:truly|sincerely|faithfully)|with love|respectfully(?: yours)?),?[ \t]*(?:\n|$)|(?:^"
            r"|\n)[ \t]*(?:best|cheers|love|take care|warmly),[ \t]*(?:\n|$)",
            200,
        ),
    ),
    response("code_closing", "ends with a code block", r"(?:```|~~~)\s*$"),
    response("list_closing", "ends inside a list", r"(?s)\n[ \t]*(?:[-*•]|[0-9]+[.)])[ \t]+[^\n]+\s*$"),
)

ANSWERS: tuple[Shape, ...] = (*_OPENINGS, *_STANCE, *_REASONING, *_CLOSINGS)
