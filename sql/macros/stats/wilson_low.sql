-- stats.wilson_low: lower 95 % Wilson bound of a rate of `hits` in `trials`; null without trials
-- paper: own (Wilson 1927)
create or replace macro stats.wilson_low(hits, trials) as
    case when trials > 0 then greatest(
        (
            hits + 1.920729410347062
            - 1.959963984540054 * sqrt(hits * (trials - hits) / trials + 0.960364705173531)
        ) / (trials + 3.841458820694124),
        0
    ) end;

-- tests
select stats.equals(round(stats.wilson_low(93, 100), 4), 0.8625);
select stats.equals(stats.wilson_low(0, 10), 0.0);
select stats.equals(stats.wilson_low(0, 0), null);
