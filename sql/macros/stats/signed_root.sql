-- stats.signed_root: signed root of the likelihood ratio of a 2 × 2 table against independence, the joint cell moved half a count towards its expectation; a standard normal z that is right in the tails of small counts
-- paper: own (Wilks 1938 with a continuity correction)
create or replace macro stats.signed_root(with_both, only_trigger, only_behavior, with_neither) as (
    select
        sign(with_both - expected) * sqrt(2 * greatest(0,
            stats.deviance(joint, expected)
            + stats.deviance(triggers - joint, triggers - expected)
            + stats.deviance(behaviors - joint, behaviors - expected)
            + stats.deviance(
                total - triggers - behaviors + joint, total - triggers - behaviors + expected
            )
        )),
    from (
        select
            triggers,
            behaviors,
            total,
            expected,
            case
                when with_both > expected then greatest(with_both - 0.5, expected)
                else least(with_both + 0.5, expected)
            end as joint,
        from (
            select
                (with_both + only_trigger)::double as triggers,
                (with_both + only_behavior)::double as behaviors,
                (with_both + only_trigger + only_behavior + with_neither)::double as total,
                (with_both + only_trigger)::double * (with_both + only_behavior)
                / nullif(with_both + only_trigger + only_behavior + with_neither, 0) as expected,
        )
    )
);

-- tests
select stats.equals(round(stats.signed_root(5, 95, 495, 99405), 3), 3.46);
select stats.equals(stats.signed_root(10, 10, 10, 10), 0.0);
select stats.equals(round(stats.signed_root(0, 100, 5000, 4900), 3) < -9, true);
select stats.equals(stats.signed_root(null, 1, 1, 1), null);
