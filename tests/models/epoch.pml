/* Epochs: base/epoch.h.

   Two readers go online, read a pointer, are quiescent, go offline, again and again. One writer replaces the object and
   polls; another replaces it and synchronizes, nudging who keeps it waiting.

   The pointer is not read with sequential consistency, so a reader may find an older version of it than the newest. Which
   ones is modelled by what it *knows*: each reader knows of versions up to a number, passes that on by each release,
   and receives it by each acquire. What it reads is any version from the one it knows to the newest.

   Checked: nobody holds, or finds, an object that was reclaimed; synchronize() returns.

   MUTANT_1  going online loads the epoch once only
   MUTANT_2  a waiter is woken without passing through the mutex
   MUTANT_3  a reader loads `waiters` before it stores its state
   MUTANT_4  objects whose tag is equal to the oldest state are reclaimed as well
   MUTANT_5  the epoch moves on before what is pending is taken
   MUTANT_6  a requested reader is quiescent before it clears the flag
   MUTANT_7  synchronize() counts itself in after it has looked at the states

   CASE -DREADERS=1 -DKICKED=1 -DPOLLED=1
   CASE_FULL -DREADERS=2 -DKICKED=1 -DPOLLED=0 */

#define POLLER   READERS
#define WAITER   (READERS + 1)
#define ACTORS   (READERS + 2)
#define SLEEPERS ACTORS
#include "sync.pml"

#define VERSIONS 3
#define NOTHING  VERSIONS
#define FOREVER  15

byte newest;             /* version of the pointer, and number of the object it leads to */
bit reclaimed[VERSIONS];
byte held[READERS];
bit request[READERS];

byte epoch = 1;
byte state[READERS];
bit pending[VERSIONS];
byte waiters;
byte tag[VERSIONS]; /* 0: not in the queue; under the mutex */

/* What is known: by an actor, and by who acquires the variable. */
byte knows[ACTORS];
byte epoch_tells, pending_tells, mutex_tells;
byte state_tells[READERS];

#define LEARN(self, told) if :: told > knows[self] -> knows[self] = told :: else fi
#define TELL(self, tells) if :: knows[self] > tells -> tells = knows[self] :: else fi

#define ENTER(self) atomic { !mutex -> mutex = 1; LEARN(self, mutex_tells) }
#define EXIT(self)  atomic { TELL(self, mutex_tells); mutex = 0 }

#define LOAD_EPOCH(self) atomic { seen = epoch; LEARN(self, epoch_tells) }
#define STORE_STATE(self, value) atomic { state[self] = value; state_tells[self] = knows[self] }

inline announce(self, value) {
#ifdef MUTANT_3
    awaited = waiters != 0;
    STORE_STATE(self, value);
#else
    STORE_STATE(self, value);
    awaited = waiters != 0;
#endif
    if
    :: !awaited
    :: else ->
#ifndef MUTANT_2
        ENTER(self);
        EXIT(self);
#endif
        notify_all()
    fi;
    awaited = 0
}

inline quiescent(self) {
    LOAD_EPOCH(self);
    if
    :: seen == state[self]
    :: else -> announce(self, seen)
    fi;
    seen = 0
}

inline go_online(self) {
    LOAD_EPOCH(self);
    STORE_STATE(self, seen);
#ifndef MUTANT_1
    quiescent(self);
#endif
    seen = 0
}

inline use(self) {
    atomic {
        version = knows[self];
        do
        :: version < newest -> version++
        :: true -> break
        od;
        knows[self] = version;
        assert(!reclaimed[version]);
        held[self] = version;
        version = 0
    }
}

proctype Reader(byte self) {
    byte seen, version;
    bit awaited, lazy;
end_done:
    do
    :: true ->
        go_online(self);
        lazy = 0;
        if
        :: true
        :: lazy = 1 /* moves only when it is requested */
        fi;
        use(self);
end_lazy:
        do
        :: !lazy -> break
        :: !lazy -> held[self] = NOTHING; quiescent(self); use(self)
        :: request[self] ->
            held[self] = NOTHING;
#ifdef MUTANT_6
            quiescent(self);
            request[self] = 0;
#else
            request[self] = 0;
            quiescent(self);
#endif
            use(self)
        od;
        held[self] = NOTHING;
        announce(self, 0)
    :: true -> break
    od
}

/* Replaces the pointer and retires the object it led to. */
inline replace(self) {
    atomic {
        mine = newest;
        newest++;
        knows[self] = newest
    }
    atomic { pending[mine] = 1; TELL(self, pending_tells) }
}

inline take_pending(self) {
    atomic {
        LEARN(self, pending_tells);
        i = 0;
        do
        :: i < VERSIONS && pending[i] -> pending[i] = 0; batch[i] = 1; i++
        :: i < VERSIONS && !pending[i] -> i++
        :: else -> break
        od;
        i = 0
    }
}

inline advance(self) {
    atomic {
        now = epoch;
        epoch++;
        TELL(self, epoch_tells);
        LEARN(self, epoch_tells)
    }
}

inline tag_pending(self) {
#ifdef MUTANT_5
    advance(self);
    take_pending(self);
#else
    take_pending(self);
    advance(self);
#endif
    d_step {
        i = 0;
        do
        :: i < VERSIONS && batch[i] -> tag[i] = now; batch[i] = 0; i++
        :: i < VERSIONS && !batch[i] -> i++
        :: else -> break
        od;
        i = 0
    }
}

inline scan(self) {
    oldest = FOREVER;
    i = 0;
    do
    :: i == READERS -> break
    :: i < READERS ->
        atomic {
            LEARN(self, state_tells[i]);
            if
            :: state[i] != 0 && state[i] < oldest -> oldest = state[i]
            :: else
            fi;
            i++
        }
    od;
    i = 0
}

#ifdef MUTANT_4
#define SAFE(t, limit) (t <= limit)
#else
#define SAFE(t, limit) (t < limit)
#endif

inline reclaim_before(limit) {
    d_step {
        i = 0;
        do
        :: i < VERSIONS && tag[i] != 0 && SAFE(tag[i], limit) ->
            tag[i] = 0;
            reclaimed[i] = 1;
            assert(held[0] != i && held[READERS - 1] != i);
            i++
        :: i < VERSIONS && !(tag[i] != 0 && SAFE(tag[i], limit)) -> i++
        :: else -> break
        od;
        i = 0
    }
}

proctype Poller() {
    byte mine, now, oldest, i;
    bit batch[VERSIONS];
    replace(POLLER);
    ENTER(POLLER);
    tag_pending(POLLER);
    scan(POLLER);
    reclaim_before(oldest);
    EXIT(POLLER)
}

proctype Waiter() {
    byte mine, now, oldest, target, i;
    bit batch[VERSIONS];
    bit requested[READERS];
    replace(WAITER);
#ifndef MUTANT_7
    waiters++;
#endif
    ENTER(WAITER);
    tag_pending(WAITER);
    target = now + 1;
    do
    :: scan(WAITER);
        if
        :: oldest >= target -> break
        :: else
        fi;
        do
        :: i == READERS -> break
        :: i < READERS && state[i] != 0 && state[i] < target && !requested[i] -> requested[i] = 1; request[i] = 1; i++
        :: else -> i++
        od;
        i = 0;
#ifdef MUTANT_7
        waiters = 1;
#endif
        TELL(WAITER, mutex_tells);
        WAIT(mutex, WAITER);
        LEARN(WAITER, mutex_tells)
    od;
    reclaim_before(target);
    EXIT(WAITER);
    waiters--
}

/* Somebody wants something else of the reader: the flag is an exit request. */
proctype Kicker() {
    request[0] = 1
}

init {
    atomic {
        held[0] = NOTHING;
        run Reader(0);
#if READERS > 1
        held[1] = NOTHING;
        run Reader(1);
#endif
#if KICKED
        run Kicker();
#endif
#if POLLED
        run Poller();
#endif
        run Waiter()
    }
}
