"""Topics of the generated background: what its conversations are about.

Things are singular, actions are imperatives, problems are clauses and tips are whole sentences, so that every
template of `background.py` reads sensibly with every topic.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TOPICS", "Topic"]


@dataclass(frozen=True)
class Topic:
    """One subject with the words that conversations about it use."""

    name: str
    things: tuple[str, ...]
    actions: tuple[str, ...]
    problems: tuple[str, ...]
    tips: tuple[str, ...]


_TEXT = """
sourdough baking
starter; dough; crust; crumb; baking stone; proofing basket; scoring blade; rye flour; bench scraper; oven
  thermometer
feed the starter; shape the loaf; score the dough; proof the loaf overnight; bake with steam; scale the recipe
the crumb stays dense; the crust turns out pale; the loaf spreads flat; the starter smells sharp; the dough
  tears
Feed the starter twice on the day before.; A cooler room slows fermentation and deepens flavor.; Weigh flour,
  never scoop it.; Let the loaf cool fully before slicing.; A longer rest makes wet dough easier to handle.
bicycle repair
chain; rear derailleur; brake pad; inner tube; bottom bracket; cassette; headset; spoke; shift cable; pedal
true the wheel; patch the tube; replace the chain; adjust the brakes; index the gears; grease the bearings
the chain skips under load; the brakes squeal in the rain; the wheel wobbles; the gears shift late; the tire
  loses air
Clean the chain before you oil it.; Turn the barrel adjuster a quarter at a time.; Worn pads glaze and lose
  bite.; Check the tire for glass before fitting a new tube.; Measure chain wear twice a year.
vegetable gardening
seedling; raised bed; compost heap; tomato plant; watering can; row cover; trellis; soil test; mulch layer; seed
  tray
start the seeds indoors; turn the compost; thin the carrots; stake the tomatoes; rotate the beds; harden off the
  plants
the leaves turn yellow; slugs eat the lettuce; the soil crusts over; the beans stop climbing; the fruit splits
Water in the morning, close to the roots.; Mulch keeps moisture in and weeds out.; Never plant tomatoes in the
  same bed twice running.; Test the soil before you add lime.; Thin early, while the roots are small.
personal budgeting
budget; savings account; spending log; emergency fund; credit card; monthly bill; pay slip; loan statement;
  pension plan; receipt
track the expenses; plan the month; pay down the loan; set a savings target; compare two accounts; split the
  rent
the account runs dry by the twentieth; the fees keep growing; the bills arrive together; the plan lasts a week;
  the totals disagree
Write down fixed costs first.; Move savings on pay day, before spending.; Pay the dearest debt first.; Keep
  three months of costs aside.; Review subscriptions every quarter.
home networking
router; access point; ethernet cable; firewall rule; guest network; switch; modem; signal meter; address pool;
  print server
reset the router; extend the signal; set up a guest network; map the ports; change the channel; update the
  firmware
the signal drops in the evening; the printer vanishes; the video call stutters; two devices share an address;
  the lights blink red
Place the router high and central.; A wired link beats the best radio.; Write the new password down before a
  reset.; Pick a channel your neighbors do not use.; Restart the modem first, the router second.
museum visits
exhibit; guided tour; audio guide; gallery map; floor plan; ticket desk; sculpture hall; cloakroom; portrait;
  display case
plan the visit; book the tour; sketch a sculpture; find the quiet rooms; prepare the class; read the labels
the queue is too long; the hall closes early; the guide skips a room; the children lose interest; the map is out
  of date
Arrive when the doors open.; Choose five works and give each ten minutes.; Sit down often; tired feet see
  little.; Ask a guard for a favorite room.; Look first, read the label afterwards.
marathon training
training plan; long run; heart rate monitor; running shoe; recovery day; interval session; warm-up; race pace;
  water belt; running log
build the mileage; pace the first half; taper before the race; recover after a long run; choose the shoes; train
  on hills
the calf cramps late; the pace fades; the knee aches downhill; motivation drops in winter; sleep suffers before
  races
Add no more than a tenth each week.; Easy runs should feel truly easy.; Practice drinking at race pace.; Retire
  shoes after eight hundred kilometers.; Sleep is the cheapest training aid.
small claims
contract; invoice; written notice; witness; deadline; filing fee; hearing; settlement; claim form; receipt book
draft the notice; file the claim; prepare for the hearing; answer a complaint; settle out of court; collect the
  records
the tenant denies the damage; the invoice stays unpaid; the notice was never signed; the deadline has passed;
  the seller disappears
Keep every letter in date order.; State the sum and how it was reached.; A polite letter often settles the
  matter.; Photograph damage on the same day.; Bring two copies of each record.
coffee brewing
grinder; filter cone; espresso shot; kettle; portafilter; milk jug; roast date; brew ratio; burr; tasting note
dial in the grinder; pour the bloom; steam the milk; clean the machine; choose the beans; time the shot
the cup tastes sour; the shot runs too fast; the filter clogs; the milk will not foam; the grounds clump
Grind right before brewing.; Weigh both beans and water.; Water just off the boil suits most beans.; Rinse the
  paper filter first.; Change one thing at a time.
amateur astronomy
telescope; eyepiece; star chart; red lamp; tripod; finder scope; lens cap; star cluster; dew shield; observing
  log
align the finder; find the nebula; photograph the moon; collimate the mirror; plan the night; sketch the planet
the image shakes; dew covers the lens; the tracking drifts; the planet looks blurred; the street lamp glares
Let the mirror cool for half an hour.; Dark-adapted eyes need twenty minutes.; Start with the lowest power.;
  Look beside a faint object, not at it.; Note date, time and sky in the log.
dog training
leash; treat pouch; clicker; recall word; crate; puppy class; long line; reward; chew toy; harness
teach the recall; stop the pulling; crate train the puppy; reward a calm greeting; introduce two dogs; shape a
  new trick
the dog barks at the door; the puppy bites ankles; the dog ignores the call; walks turn into tugging; visitors
  get jumped on
Reward the very second it goes right.; Short sessions beat long ones.; Say the cue once.; End while the dog
  still wants more.; Everyone at home should use the same words.
choir singing
score; warm-up; alto line; conductor; rehearsal; pitch pipe; concert program; breath mark; solo; folding stand
learn the alto line; blend the section; warm up the voice; mark the breaths; plan the rehearsal; memorize the
  text
the sopranos go flat; the entries are ragged; the tempo drags; the consonants vanish; nobody counts the rests
Listen more than you sing.; Mark every breath in pencil.; Speak the text in rhythm first.; Soft passages need
  more support.; Stand so that you can see the beat.
furniture restoration
chair leg; wood glue; shellac; clamp; sandpaper; joint; drawer runner; veneer; wax; hinge
strip the varnish; reglue the joint; patch the veneer; polish the top; sand with the grain; replace the hinge
the joint wobbles; the veneer lifts; the drawer sticks; the stain looks blotchy; the glue leaves marks
Test any finish on a hidden spot.; Clamp a joint overnight.; Sand with the grain, never across.; Old glue must
  come off first.; Thin coats dry harder than thick ones.
school physics
pendulum; inclined plane; spring balance; circuit; light ray; lens; voltmeter; lab report; unit; graph
measure the period; draw the circuit; derive the formula; plot the results; estimate the error; set up the bench
the readings scatter; the units do not match; the lamp stays dark; the slope comes out negative; the ray misses
  the screen
Write the unit beside every number.; Repeat a measurement five times.; Draw the graph before you compute.; Name
  the largest source of error.; Check the formula with a simple case.
birdwatching
binoculars; field guide; nest box; song recording; hide; feeder; checklist; wetland; plumage; ring number
identify the warbler; set up the feeder; learn the songs; keep the checklist; photograph the heron; build a nest
  box
the bird hides in the reeds; the songs sound alike; squirrels empty the feeder; the light fades early; juveniles
  confuse the count
Learn ten common songs first.; Go out at dawn, when birds sing most.; Note shape and behavior before color.;
  Clean feeders every week.; Sit still and let the birds come.
conference planning
venue; keynote; name badge; schedule; catering order; sponsor; seating plan; projector; help desk; feedback form
book the venue; brief the speakers; print the badges; seat the guests; order the catering; run the help desk
the keynote cancels; the room is too small; the badges arrive late; the sound fails; lunch runs out
Confirm every booking in writing.; Leave a spare half hour each day.; Test the projector the evening before.;
  Label rooms at eye level.; One person should own the schedule.
watercolor painting
brush; wash; palette; masking tape; paper block; glaze; pigment; water jar; sketch; highlight
stretch the paper; lay a flat wash; mix a gray; paint the sky; lift a highlight; plan the values
the colors turn muddy; the paper buckles; the edges dry hard; the sky looks streaked; the darks lack depth
Mix more paint than you think you need.; Let one layer dry before the next.; Save the white of the paper.; Use
  the largest brush that fits.; Tilt the board and let water do the work.
used cars
engine; service book; test drive; timing belt; gearbox; tire tread; mileage; warranty; exhaust; dashboard light
inspect the engine; haggle over the price; read the service book; check for rust; plan the test drive; transfer
  the title
the gearbox grinds; the engine smokes when cold; the mileage looks wrong; the seller hurries; a warning light
  stays on
View a car in daylight and dry weather.; Start the engine cold.; Compare mileage with pedal wear.; Take a friend
  who says no.; Ask why it is for sale.
chess practice
opening; endgame; knight fork; pawn chain; clock; tactic puzzle; rook file; bishop pair; score sheet; study plan
study the endgame; analyze the loss; prepare the opening; solve puzzles daily; manage the clock; defend a worse
  position
the clock runs out; the attack fizzles; pawns get weak; blunders come late; the opening goes off book
Review every loss before the next game.; Checks, captures and threats come first.; Rooks belong behind passed
  pawns.; Use the opponent's time to plan.; Trade pieces when ahead.
apartment moving
moving box; inventory; rental van; packing tape; elevator; meter reading; spare key; floor lamp; address change;
  deposit
pack the kitchen; label the boxes; hand over the keys; book the van; measure the doorway; cancel the contracts
the sofa does not fit; the van is double booked; boxes burst; the deposit is held back; the elevator breaks
Pack heavy things in small boxes.; Label two sides of each box.; Photograph meters on the last day.; Keep tools
  and tea for the end.; Measure doors before buying furniture.
language study
vocabulary list; grammar table; study partner; flash card; listening exercise; accent; dialogue; reader; verb
  form; notebook
learn the verb forms; keep a vocabulary notebook; practice with a partner; read the short story; train the ear;
  review the cards
new words slip away; the accent stays heavy; the grammar blurs; listening is too fast; practice gets boring
Ten words a day is plenty.; Speak from the first week.; Review just before you forget.; Learn words inside
  sentences.; Read aloud for five minutes daily.
software releases
release note; test suite; build server; rollback plan; feature flag; changelog; staging host; error log;
  dependency; ticket
write the changelog; roll back the release; triage the tickets; pin the dependency; split the deploy; review the
  patch
the build fails at night; tests pass only sometimes; the log fills the disk; the flag was left on; users see old
  pages
Ship small changes often.; Write the rollback plan first.; A flaky test is a broken test.; Pin versions and
  update on purpose.; Read the log before guessing.
beekeeping
hive; queen; smoker; brood frame; honey super; bee suit; swarm; mite count; feeder jar; entrance block
inspect the hive; catch the swarm; treat for mites; harvest the honey; feed in autumn; mark the queen
the queen is missing; the bees turn angry; the combs get moldy; the swarm leaves; the mite count climbs
Inspect on warm, still days.; Leave enough honey for winter.; Smoke gently and wait a minute.; Count mites every
  month.; Mark the queen so you find her again.
sailing lessons
mainsail; rudder; jib; tiller; mooring line; tide table; harbor chart; life vest; winch; bowline
trim the mainsail; tack upwind; read the tide table; dock in a crosswind; reef early; tie the bowline
the boat heels too far; the jib flaps; the current pulls sideways; the anchor drags; the line jams
Reef before you think you must.; One hand for yourself, one for the boat.; Watch the water for gusts.; Approach
  the dock slowly.; Check the tide before you leave.
genealogy
parish register; family tree; census sheet; birth record; archive; maiden name; passenger list; gravestone; old
  letter; photo album
trace the maiden name; read the old script; order the records; interview a relative; date the photograph; draw
  the tree
two cousins share a name; the register burned; the dates conflict; the script is faded; a branch ends abruptly
Work backwards from what is certain.; Note the source of every date.; Spelling drifted; search by sound.; Ask
  the oldest relatives first.; Photograph the whole page, not one line.
pottery
clay; wheel; kiln; glaze; handle; slip; trimming tool; bisque; foot ring; test tile
center the clay; pull the wall; trim the foot; fire the kiln; mix a glaze; attach the handle
the wall collapses; the glaze runs; the base cracks; the handle falls off; the bowl warps
Wedge the clay until it is even.; Dry pots slowly under a cloth.; Test each glaze on a tile.; Keep the rim
  compressed.; Score both sides before joining.
"""


def _parts(line: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in line.split(";"))


def _topics() -> tuple[Topic, ...]:
    lines = _TEXT.strip().replace("\n  ", " ").splitlines()  # an indented line continues the one above
    return tuple(_topic(lines[at : at + 5]) for at in range(0, len(lines), 5))


def _topic(lines: list[str]) -> Topic:
    name, things, actions, problems, tips = lines
    return Topic(name, _parts(things), _parts(actions), _parts(problems), _tips(tips))


def _tips(line: str) -> tuple[str, ...]:
    return tuple(tip.strip().rstrip(".") + "." for tip in line.split(".;"))


TOPICS: tuple[Topic, ...] = _topics()
