-- corpus.excerpt: the part of a text around the first match of a regular expression, `around` characters on each side, `…` where more stands; the beginning when nothing matches
-- paper: own
create or replace macro corpus.excerpt(long_text, pattern, around) as
    case
        when long_text is null then null
        when coalesce(pattern, '') = '' or not regexp_matches(long_text, pattern)
            then left(long_text, 2 * around) || if(length(long_text) > 2 * around, '…', '')
        else
            if(strpos(long_text, regexp_extract(long_text, pattern)) - 1 > around, '…', '')
            || substring(
                long_text,
                greatest(strpos(long_text, regexp_extract(long_text, pattern)) - around, 1),
                length(regexp_extract(long_text, pattern))
                + around + least(around, strpos(long_text, regexp_extract(long_text, pattern)) - 1)
            )
            || if(
                strpos(long_text, regexp_extract(long_text, pattern)) - 1 + length(regexp_extract(long_text, pattern)) + around
                < length(long_text),
                '…',
                ''
            )
    end;

-- tests
select stats.equals(corpus.excerpt('one two three four five', 'three', 4), '…two three fou…');
select stats.equals(corpus.excerpt('one two three', 'one', 4), 'one two…');
select stats.equals(corpus.excerpt('one two three', 'three', 40), 'one two three');
select stats.equals(corpus.excerpt('one two three', 'six', 3), 'one tw…');
select stats.equals(corpus.excerpt('one two three', null, 40), 'one two three');
select stats.equals(corpus.excerpt(null, 'one', 4), null);
