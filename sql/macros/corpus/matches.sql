-- corpus.matches: whether a text matches a regular expression somewhere (RE2; `^` and `$` are the ends of the whole text, `.` is no line break); a null or empty pattern matches any text
-- paper: own
create or replace macro corpus.matches(some_text, pattern) as
    coalesce(pattern, '') = '' or regexp_matches(some_text, pattern);

-- tests
select stats.equals(corpus.matches('No, I am not.', '^No, '), true);
select stats.equals(corpus.matches('Oh. No, I am not.', '^No, '), false);
select stats.equals(corpus.matches(e'one\nNo, two', '^No, '), false);
select stats.equals(corpus.matches(e'a\nb', 'a.b'), false);
select stats.equals(corpus.matches(e'a\n', 'a$'), false);
select stats.equals(corpus.matches('As An AI', '(?i)as an ai'), true);
select stats.equals(corpus.matches('any text', ''), true);
select stats.equals(corpus.matches('any text', null), true);
select stats.equals(corpus.matches(null, 'a'), null);
