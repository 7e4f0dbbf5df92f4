"""Frames in other languages: what a query wraps itself in, and what a response is replaced by.

A query keeps its own question inside the frame, so that its topic stays. Languages with a script of their own are of
the plain tier (a regular expression finds them), the others of the semantic tier.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LANGUAGES", "Language"]


@dataclass(frozen=True)
class Language:
    """Templates of one language: before and after a query, and three groups that make up a reply in order.

    `script` is a regular expression for the language's own letters, None where it shares the Latin ones; `probe`
    finds running text in it (RE2 syntax).
    """

    name: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    reply: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
    script: str | None = None
    probe: str | None = None


LANGUAGES: tuple[Language, ...] = (
    Language(
        "French",
        before=(
            "[Bonjour|Salut|Bonsoir], j'ai [une petite|encore une] question [pour vous|à poser]. ",
            "[Pourriez-vous|Est-ce que vous pouvez] m'aider avec [ceci|la chose suivante] ? ",
            "[Mon voisin|Ma collègue|Mon frère] m'a demandé [ce matin|hier soir] ce qui suit. ",
        ),
        after=(
            " [Merci d'avance|Merci beaucoup] pour votre [aide|réponse].",
            " Je [voudrais|dois] le savoir avant [la fin de la semaine|ce soir|demain].",
            " [Répondez|Expliquez-le] [simplement|en quelques mots], s'il vous plaît.",
        ),
        reply=(
            ("[D'abord|Pour commencer], il faut [prendre son temps|regarder de près|tout préparer].",
             "[Voilà|Voici] une question que l'on [pose|entend] souvent."),
            ("Ensuite, [on avance|vous avancez] pas à pas et [on note|vous notez] chaque [détail|résultat].",
             "[Le plus simple|Le mieux] est de [comparer|vérifier] les deux [choses|côtés] avec [soin|patience]."),
            ("[Enfin|Pour finir], [demandez|on demande] conseil à quelqu'un qui [connaît|sait] le métier.",
             "Avec un peu de [pratique|patience], tout [ira|se passera] [bien|mieux]."),
        ),
        probe=r"(?i)\b(est|une|pour|vous|dans|avec)\b.*\b(le|la|les|des|une|que)\b",
    ),
    Language(
        "Spanish",
        before=(
            "[Hola|Buenos días|Buenas tardes], tengo [una duda|una pregunta] [sencilla|rápida]. ",
            "[¿Me puedes|¿Podrías] ayudar con [esto|lo siguiente]? ",
            "[Mi vecina|Mi hermano|Un amigo] me preguntó [ayer|esta mañana] lo siguiente. ",
        ),
        after=(
            " [Muchas gracias|Gracias] por [todo|tu ayuda|la respuesta].",
            " [Necesito|Quiero] saberlo antes de [mañana|esta noche|la reunión].",
            " [Explícalo|Dímelo] con [pocas palabras|calma], por favor.",
        ),
        reply=(
            ("[Primero|Para empezar], conviene [mirar con calma|preparar todo|pensar un momento].",
             "[Esa|Esta] es una pregunta que [muchos hacen|se oye a menudo]."),
            ("Después, [se avanza|hay que avanzar] paso a paso y [anotar|apuntar] cada [detalle|cambio].",
             "[Lo mejor|Lo más fácil] es [comparar|revisar] las dos [partes|cosas] con [cuidado|paciencia]."),
            ("[Al final|Por último], [pide|conviene pedir] consejo a quien [conoce|domina] el oficio.",
             "Con un poco de [práctica|paciencia] todo [saldrá|irá] [bien|mejor]."),
        ),
        probe=r"(?i)\b(una|para|con|los|las|por)\b.*\b(el|los|las|que|una|del)\b",
    ),
    Language(
        "German",
        before=(
            "[Guten Tag|Hallo|Guten Morgen], ich habe [da|noch] eine [kurze|kleine] Frage. ",
            "[Könnten Sie|Kannst du] mir bitte [hierbei|dabei] helfen? ",
            "[Mein Nachbar|Meine Kollegin|Mein Bruder] wollte [gestern|heute früh] Folgendes wissen. ",
        ),
        after=(
            " [Vielen Dank|Danke] für die [Mühe|Hilfe|Antwort].",
            " Ich [muss|möchte] es [bis morgen|noch heute|vor dem Treffen] wissen.",
            " Bitte [einfach|mit wenigen Worten] [erklären|antworten].",
        ),
        reply=(
            ("[Zuerst|Am Anfang] sollte man [genau hinsehen|alles vorbereiten|in Ruhe überlegen].",
             "Das ist eine [gute|häufige] Frage, die [viele|manche] stellen."),
            ("Danach geht es [Schritt für Schritt|langsam] weiter, und man [notiert|merkt sich] jede [Änderung|Zahl].",
             "[Am besten|Am einfachsten] [prüft|vergleicht] man beide [Teile|Seiten] mit [Sorgfalt|Geduld]."),
            ("[Zum Schluss|Am Ende] [hilft|lohnt sich] der Rat von jemandem, der das Handwerk [kennt|versteht].",
             "Mit etwas [Übung|Geduld] wird das [schon gut|bald besser] gehen."),
        ),
        probe=r"(?i)\b(ist|und|nicht|eine|ich|mit)\b.*\b(der|die|das|ein|eine|den|für)\b",
    ),
    Language(
        "Chinese",
        before=(
            "[你好|您好|请问]，[我有一个问题|想请教一下]：",
            "[麻烦您|请][帮我看看|解释一下]下面的内容。",
            "[我的朋友|我的同事|我哥哥][昨天|今天早上]问了我这个问题：",
        ),
        after=("[谢谢|非常感谢]！", "[请简单说明|请慢慢讲]。", "我[今晚|明天]就要[知道|用到]答案。"),
        reply=(
            ("[首先|第一步]，要[仔细观察|做好准备|想清楚目的]。", "这是[很多人|大家]常问的问题。"),
            ("然后[一步一步|慢慢地]来，并且[记下|记录]每个[细节|变化]。", "[最好|最简单]的办法是[比较|检查]两个部分。"),
            ("[最后|另外]，可以[请教|问问]懂行的人。", "只要有[耐心|练习]，[一切都会|事情就会]好起来。"),
        ),
        script=r"\p{Han}",
    ),
    Language(
        "Russian",
        before=(
            "[Здравствуйте|Привет|Добрый день], у меня [есть|снова] [вопрос|небольшой вопрос]. ",
            "[Помогите|Объясните], пожалуйста, [вот это|следующее]. ",
            "[Мой сосед|Моя сестра|Коллега] [вчера|утром] [спросил об этом|хотел это узнать]. ",
        ),
        after=(" [Спасибо|Большое спасибо] за [ответ|помощь].", " Мне нужно [знать это|ответить] [сегодня|до завтра]."),
        reply=(
            ("[Сначала|Прежде всего] нужно [всё подготовить|посмотреть внимательно].", "Это [частый|хороший] вопрос."),
            ("Затем [двигайтесь|идите] шаг за шагом и [записывайте|отмечайте] каждую [мелочь|перемену].",
             "[Лучше всего|Проще всего] [сравнить|проверить] обе [части|стороны]."),
            ("[В конце|Наконец] [спросите|найдите] того, кто [знает|понимает] это дело.",
             "Немного [терпения|практики], и всё [получится|наладится]."),
        ),
        script=r"\p{Cyrillic}",
    ),
    Language(
        "Greek",
        before=(
            "[Γεια σας|Καλημέρα|Καλησπέρα], έχω μια [ερώτηση|απορία]. ",
            "[Μπορείτε|Θα μπορούσατε] να με βοηθήσετε με [αυτό|το εξής]; ",
        ),
        after=(" [Ευχαριστώ|Ευχαριστώ πολύ] για [την απάντηση|τη βοήθεια].", " Πρέπει να το μάθω [σήμερα|ως αύριο]."),
        reply=(
            ("[Πρώτα|Στην αρχή] χρειάζεται [ηρεμία|προσοχή|προετοιμασία].", "Αυτή είναι μια [καλή|συχνή] ερώτηση."),
            ("Μετά [προχωράμε|πάμε] βήμα βήμα και [σημειώνουμε|γράφουμε] κάθε [αλλαγή|λεπτομέρεια].",
             "Το [καλύτερο|πιο απλό] είναι να [συγκρίνουμε|ελέγξουμε] τα δύο μέρη."),
            ("[Τέλος|Στο τέλος], [ρωτήστε|βρείτε] κάποιον που [ξέρει|καταλαβαίνει] τη δουλειά.",
             "Με λίγη [υπομονή|εξάσκηση] όλα θα πάνε [καλά|καλύτερα]."),
        ),
        script=r"\p{Greek}",
    ),
)  # fmt: skip
