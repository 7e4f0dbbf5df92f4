-- Which answers still hold an unfilled slot of their template?
-- parameters: slot = "\\{\\{ ?[A-Za-z_]+ ?\\}\\}|<(NAME|AUTHOR|COMPANY|DATE|YOUR[A-Z_ ]*)>|\\[(Your|Insert) [A-Za-z ]+\\]" — what a slot looks like
select
    chunk,
    regexp_extract(response, getvariable('slot')) as slot,
    count(*) as rows,
    min(row_id) as example_row_id,
    arg_min(corpus.excerpt(response, getvariable('slot'), 40), row_id) as example,
from corpus.rows
where regexp_matches(response, getvariable('slot'))
group by all
order by count(*) desc, chunk asc, slot asc
