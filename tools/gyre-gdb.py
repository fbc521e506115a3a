"""gdb commands for programs that are built on gyre, on a live process or a core file.

    (gdb) source tools/gyre-gdb.py
    (gdb) info goroutines              all goroutines: id, state, what they wait for, where
    (gdb) goroutine 7 bt               the stack of goroutine 7; any other command works too: goroutine 7 frame 2
    (gdb) goroutine all bt             every goroutine's

A goroutine that runs is shown by its thread's registers, one that is parked by those that it saved. Nothing is called
in the program, so a core file does as well. The program says where its parts are by two tables, gyre_gdb_layout
(runtime/live_cores.cc) and gyre_gdb_pool_layout (stacks/stack_pool.cc), for the debug information that gyre is built
with (-g1) describes no types.
"""

import gdb
import gdb.unwinder

WORD = 8
CLAIMED = 1 << 63  # in a saved context: the monitor is about to shrink the goroutine's stack

STATES = {0: "idle", 1: "runnable", 2: "running", 3: "syscall", 4: "waiting", 6: "dead", 8: "copystack",
          9: "preempted", 0x1000: "scan"}


def address_of(symbol):
    """Of a variable; with a star in front, of what the variable points to."""
    try:
        address = int(gdb.parse_and_eval("(unsigned long)&%s" % symbol.lstrip("*")))
        return number(address) if symbol.startswith("*") else address
    except gdb.error:
        raise gdb.GdbError("this program has no %s: it is not built on gyre, or is stripped" % symbol)


def read(address, size):
    return bytes(gdb.selected_inferior().read_memory(address, size))


def number(address, size=WORD, signed=False):
    return int.from_bytes(read(address, size), "little", signed=signed)


def text(address, limit=200):
    if address == 0:
        return ""
    result = b""
    while len(result) < limit:
        byte = read(address + len(result), 1)
        if byte == b"\0":
            break
        result += byte
    return result.decode("utf-8", "replace")


class Table:
    """A table of offsets and addresses, by name, in the order in which the program has them."""

    def __init__(self, symbol, names):
        at = address_of(symbol)
        for i, name in enumerate(names):
            setattr(self, name, number(at + i * WORD))
        if self.version != 1:
            raise gdb.GdbError("%s has version %d; this script is for version 1" % (symbol, self.version))


def runtime_table():
    return Table("gyre_gdb_layout", [
        "version", "g_bytes", "context", "ip", "fp", "state", "wait_reason", "in_place", "core", "stack_low",
        "stack_top", "id", "name", "creator_id", "creator_pc", "wait_object", "cores", "wait_reasons",
        "wait_reason_count", "colours", "colour_step"])


def pool_table():
    return Table("*gyre_gdb_pool_layout", [
        "version", "pools", "next_pool", "spans", "classes", "class_bytes", "class_stride", "depots", "depot_bytes",
        "depot_batch", "span_next", "span_start", "span_class", "span_carved"])


class Goroutine:
    def __init__(self, layout, g, raw):
        def at(offset, size=WORD):
            return int.from_bytes(raw[offset:offset + size], "little")
        self.address = g
        self.id = at(layout.id)
        self.context = at(layout.context) & ~CLAIMED  # its stack pointer; 0 while it is on a CPU
        self.ip = at(layout.ip)
        self.fp = at(layout.fp)
        self.state = at(layout.state, 4)
        self.in_place = at(layout.in_place, 1) != 0
        self.low = at(layout.stack_low)
        self.top = at(layout.stack_top)
        self.creator_id = at(layout.creator_id)
        self.creator_pc = at(layout.creator_pc)
        self.object = at(layout.wait_object)
        self.name = text(at(layout.name))
        reason = at(layout.wait_reason, 1)
        self.reason = ""
        if self.state == 4 and reason < layout.wait_reason_count:
            self.reason = text(number(layout.wait_reasons + reason * WORD))

    def describe(self):
        what = self.reason or STATES.get(self.state, "state %d" % self.state)
        if self.reason and self.object:
            what += " on 0x%x" % self.object
        return "%d [%s]%s" % (self.id, what, " (%s)" % self.name if self.name else "")


def slots(layout):
    """The tops and sizes of all stacks that were ever handed out."""
    pool = number(layout.pools)
    while pool != 0:
        classes = number(pool + layout.classes)
        span = number(pool + layout.spans)
        while span != 0:
            size_class = number(span + layout.span_class, 4)
            size = number(classes + size_class * layout.class_bytes)
            stride = number(classes + size_class * layout.class_bytes + layout.class_stride)
            batch = number(pool + layout.depots + size_class * layout.depot_bytes + layout.depot_batch, 4)
            start = number(span + layout.span_start)
            for i in range(number(span + layout.span_carved, 4) * batch):
                yield start + (i + 1) * stride, size
            span = number(span + layout.span_next)
        pool = number(pool + layout.next_pool)


def goroutines():
    layout = runtime_table()
    cores = set()
    # A std::vector<Core*>: where it begins and ends.
    holder = number(layout.cores)
    if holder != 0:
        at, end = number(holder), number(holder + WORD)
        while at < end:
            cores.add(number(at))
            at += WORD
    found = []
    for top, size in slots(pool_table()):
        hashed = ((top >> 12) * 0x9e3779b97f4a7c15) & 0xffffffffffffffff
        colour = hashed // (2 ** 64 // layout.colours) if size >= 16384 else 0
        g = top - colour * layout.colour_step - layout.g_bytes
        try:
            raw = read(g, layout.g_bytes)
        except gdb.MemoryError:
            continue  # never touched, or not in the core file
        core = int.from_bytes(raw[layout.core:layout.core + WORD], "little")
        state = int.from_bytes(raw[layout.state:layout.state + 4], "little")
        if core in cores and state not in (0, 6):
            found.append(Goroutine(layout, g, raw))
    return sorted(found, key=lambda g: g.id)


class ParkedUnwinder(gdb.unwinder.Unwinder):
    """While `registers` is set, the frame below the innermost one is a parked goroutine's."""

    def __init__(self):
        super().__init__("gyre-parked-goroutine")
        self.registers = None
        self.sp = None

    def __call__(self, pending):
        if self.registers is None:
            return None
        sp = int(pending.read_register("rsp"))
        if sp != self.sp:
            return None
        info = pending.create_unwind_info(FrameId(sp, int(pending.read_register("rip"))))
        for name, value in self.registers.items():
            info.add_saved_register(name, gdb.Value(value).cast(gdb.lookup_type("unsigned long")))
        return info


class FrameId:
    def __init__(self, sp, pc):
        self.sp = gdb.Value(sp).cast(gdb.lookup_type("unsigned long"))
        self.pc = gdb.Value(pc).cast(gdb.lookup_type("unsigned long"))


UNWINDER = ParkedUnwinder()
gdb.unwinder.register_unwinder(None, UNWINDER, replace=True)


def thread_of(goroutine):
    """The thread that runs on the goroutine's stack now."""
    for thread in gdb.selected_inferior().threads():
        if not thread.is_valid():
            continue
        thread.switch()
        sp = int(gdb.newest_frame().read_register("rsp"))
        if goroutine.low <= sp < goroutine.top:
            return thread
    return None


def backtrace_only(output):
    """A backtrace without its first frame, which is the thread's that lends its registers; numbered anew."""
    lines, skipping = [], False
    for line in output.splitlines():
        if line.startswith("#"):
            head, _, rest = line.partition(" ")
            level = int(head[1:])
            skipping = level == 0
            if not skipping:
                line = "#%-3d%s" % (level - 1, rest.strip())
        if not skipping:
            lines.append(line)
    return "\n".join(lines)


def run_on(goroutine, command):
    """What `command` prints where the goroutine is."""
    before = gdb.selected_thread()
    try:
        if goroutine.context == 0 or goroutine.in_place:
            thread = thread_of(goroutine)
            if thread is None:
                return "(it is in the middle of a switch)" if not goroutine.in_place else \
                    "(it was preempted inside a signal handler: its frames are at the end of its thread's stack)"
            thread.switch()
            return gdb.execute(command, to_string=True)
        saved = {"rip": goroutine.ip, "rbp": goroutine.fp, "rsp": goroutine.context}
        newest = gdb.newest_frame()
        newest.select()
        UNWINDER.sp = int(newest.read_register("rsp"))
        UNWINDER.registers = saved
        gdb.invalidate_cached_frames()
        word = command.split()[0]
        is_backtrace = word in ("bt", "backtrace", "where")
        if not is_backtrace:
            gdb.newest_frame().older().select()
        output = gdb.execute(command, to_string=True)
        return backtrace_only(output) if is_backtrace else output
    finally:
        UNWINDER.registers = None
        gdb.invalidate_cached_frames()
        if before is not None and before.is_valid():
            before.switch()


def where(goroutine):
    """The first function of the goroutine's stack that is neither gyre's nor a library's, in one line."""
    for line in run_on(goroutine, "bt 24").splitlines():
        if not line.startswith("#"):
            continue
        place = line.split(None, 1)[1] if " " in line else line
        if place.startswith("0x") and " in " in place:
            place = place.split(" in ", 1)[1]
        source = place.rpartition(" at ")[2].removeprefix("./")
        ours = ("runtime/", "channels/", "sync/", "context/")
        systems = ("/usr/", "nptl/", "../sysdeps/")
        if " at " in place and not source.startswith(ours + systems):
            return place
    return ""


class InfoGoroutines(gdb.Command):
    """All goroutines: id, state, what they wait for and where."""

    def __init__(self):
        super().__init__("info goroutines", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        for goroutine in goroutines():
            print("  %s  %s" % (goroutine.describe(), where(goroutine)))


class GoroutineCommand(gdb.Command):
    """goroutine ID COMMAND: runs a gdb command where the goroutine is; goroutine all COMMAND: where each is."""

    def __init__(self):
        super().__init__("goroutine", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        which, _, command = argument.strip().partition(" ")
        if not which or not command.strip():
            raise gdb.GdbError("goroutine needs an id, or all, and a command: goroutine 7 bt")
        chosen = goroutines()
        if which != "all":
            if not which.isdigit():
                raise gdb.GdbError("\"%s\" is neither a goroutine's id nor all; info goroutines lists them" % which)
            chosen = [g for g in chosen if g.id == int(which)]
            if not chosen:
                raise gdb.GdbError("there is no goroutine %s; info goroutines lists them" % which)
        for goroutine in chosen:
            if which == "all":
                print("\ngoroutine %s:" % goroutine.describe())
            print(run_on(goroutine, command.strip()))


InfoGoroutines()
GoroutineCommand()
