/* What base/mutex.h offers. `asleep` has a bit for each process that may wait; there is one condition variable a model,
   whose waiters all look again when they are woken. No wake-up comes by itself: the code may not rely on one. */

bit mutex;
bit asleep[SLEEPERS];

#define LOCK(m)       atomic { !m -> m = 1 }
#define UNLOCK(m)     m = 0
#define WAIT(m, self) atomic { asleep[self] = 1; m = 0 }; !asleep[self]; LOCK(m)
/* A process may be left waiting here when nothing happens any more; `label` begins with "end". */
#define WAIT_IDLE(m, self, label) atomic { asleep[self] = 1; m = 0 }; label: !asleep[self]; LOCK(m)

inline notify_all() {
    d_step {
        byte sleeper_ = 0;
        do
        :: sleeper_ < SLEEPERS -> asleep[sleeper_] = 0; sleeper_++
        :: else -> sleeper_ = 0; break
        od
    }
}
