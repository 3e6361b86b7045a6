#include "base/work_queue.h"

#include <poll.h>

#include <array>
#include <catch2/catch.hpp>
#include <deque>
#include <thread>
#include <vector>

#include "tests/support/failing_host_calls.h"

using namespace weft;

namespace {

bool readable(int fd) {
    pollfd entry{fd, POLLIN, 0};
    return ::poll(&entry, 1, 0) == 1;
}

void wait_readable(int fd) {
    pollfd entry{fd, POLLIN, 0};
    while (::poll(&entry, 1, -1) != 1) {
    }
}

std::unique_ptr<WorkQueue> make() {
    auto queue = WorkQueue::create();
    REQUIRE(queue);
    return std::move(*queue);
}

struct Step {
    std::vector<int>* order;
    int number;
    static void run(void* context) {
        auto* step = static_cast<Step*>(context);
        step->order->push_back(step->number);
    }
};

}  // namespace

TEST_CASE("an event descriptor is readable from signal to clear") {
    auto event = EventFd::create();
    REQUIRE(event);
    REQUIRE_FALSE(readable(event->fd()));
    REQUIRE_FALSE(event->clear());
    event->signal();
    event->signal();
    REQUIRE(readable(event->fd()));
    REQUIRE(event->clear());
    REQUIRE_FALSE(event->clear());
    REQUIRE_FALSE(readable(event->fd()));
}

TEST_CASE("no descriptor, no queue") {
    test::FailingHostCalls calls(0, EMFILE);
    auto queue = WorkQueue::create(calls);
    REQUIRE_FALSE(queue);
    REQUIRE(queue.error().message() == "cannot create an event descriptor: Too many open files");
}

TEST_CASE("work runs in the order it was posted") {
    auto queue = make();
    std::vector<int> order;
    std::array<Step, 4> steps = {Step{&order, 0}, Step{&order, 1}, Step{&order, 2}, Step{&order, 3}};
    WorkQueue::Work one(Step::run, &steps[1]);
    WorkQueue::Work three(Step::run, &steps[3]);
    REQUIRE(queue->drain() == 0);
    queue->post(Step::run, &steps[0]);
    REQUIRE(queue->post(one));
    queue->post(Step::run, &steps[2]);
    REQUIRE(queue->post(three));
    REQUIRE_FALSE(queue->post(one));
    REQUIRE(readable(queue->fd()));
    REQUIRE(queue->drain() == 4);
    REQUIRE(order == std::vector<int>{0, 1, 2, 3});
    REQUIRE_FALSE(readable(queue->fd()));
    REQUIRE(queue->post(one));
    REQUIRE(queue->drain() == 1);
}

TEST_CASE("what a callback posts runs in the next round") {
    struct Again {
        WorkQueue* queue;
        WorkQueue::Work work{run, this};
        int runs = 0;
        explicit Again(WorkQueue* q) : queue(q) {}
        static void run(void* context) {
            auto* self = static_cast<Again*>(context);
            ++self->runs;
            // Running work is not queued any more.
            self->queue->post(self->work);
        }
    };
    auto queue = make();
    Again again(queue.get());
    queue->post(again.work);
    for (int round = 1; round <= 3; ++round) {
        REQUIRE(queue->drain() == 1);
        REQUIRE(again.runs == round);
        REQUIRE(readable(queue->fd()));
    }
    REQUIRE(queue->cancel(again.work));
}

TEST_CASE("what a callback posts behind waiting work has a signal too") {
    struct Poster {
        WorkQueue* queue;
        Step* step;
        static void run(void* context) {
            auto* self = static_cast<Poster*>(context);
            self->queue->post(Step::run, self->step);
        }
    };
    auto queue = make();
    std::vector<int> order;
    Step before{&order, 1};
    Step posted{&order, 2};
    Poster poster{queue.get(), &posted};
    queue->post(Poster::run, &poster);
    queue->post(Step::run, &before);
    REQUIRE(queue->drain() == 2);
    REQUIRE(order == std::vector<int>{1});
    REQUIRE(readable(queue->fd()));
    REQUIRE(queue->drain() == 1);
    REQUIRE(order == std::vector<int>{1, 2});
}

TEST_CASE("cancelled work does not run, wherever it stands") {
    auto queue = make();
    std::vector<int> order;
    std::deque<Step> steps;
    std::deque<WorkQueue::Work> works;
    for (int i = 0; i < 4; ++i) {
        works.emplace_back(Step::run, &steps.emplace_back(Step{&order, i}));
    }
    REQUIRE_FALSE(queue->cancel(works[0]));
    for (std::size_t victim = 0; victim < 4; ++victim) {
        order.clear();
        for (auto& work : works) {
            REQUIRE(queue->post(work));
        }
        REQUIRE(queue->cancel(works[victim]));
        REQUIRE_FALSE(queue->cancel(works[victim]));
        REQUIRE(queue->drain() == 3);
        REQUIRE(order.size() == 3);
        for (const int number : order) {
            REQUIRE(number != static_cast<int>(victim));
        }
    }
    // Posting works again after everything was cancelled.
    REQUIRE(queue->post(works[0]));
    REQUIRE(queue->cancel(works[0]));
    REQUIRE(queue->drain() == 0);
    REQUIRE(queue->post(works[1]));
    REQUIRE(readable(queue->fd()));
    REQUIRE(queue->drain() == 1);
}

TEST_CASE("a callback may cancel what comes after it in the same round") {
    struct Canceller {
        WorkQueue* queue;
        std::vector<WorkQueue::Work*> victims;
        static void run(void* context) {
            auto* self = static_cast<Canceller*>(context);
            for (WorkQueue::Work* work : self->victims) {
                self->queue->cancel(*work);
            }
        }
    };
    auto queue = make();
    std::vector<int> order;
    std::array<Step, 3> steps = {Step{&order, 0}, Step{&order, 1}, Step{&order, 2}};
    WorkQueue::Work middle(Step::run, &steps[1]);
    WorkQueue::Work last(Step::run, &steps[2]);
    Canceller canceller{queue.get(), {&last}};
    queue->post(Step::run, &steps[0]);
    queue->post(Canceller::run, &canceller);
    queue->post(middle);
    queue->post(last);
    REQUIRE(queue->drain() == 3);
    REQUIRE(order == std::vector<int>{0, 1});

    order.clear();
    canceller.victims = {&middle, &last};
    queue->post(Canceller::run, &canceller);
    queue->post(middle);
    queue->post(last);
    REQUIRE(queue->drain() == 1);
    REQUIRE(order.empty());
    REQUIRE_FALSE(readable(queue->fd()));
}

TEST_CASE("a queue that goes drops its work and frees what is its own") {
    std::vector<int> order;
    Step step{&order, 0};
    WorkQueue::Work work(Step::run, &step);
    {
        auto queue = make();
        queue->post(Step::run, &step);
        queue->post(work);
    }
    REQUIRE(order.empty());
    auto queue = make();
    REQUIRE(queue->post(work));
}

TEST_CASE("many threads post, one drains; each thread's order is kept and nothing is lost") {
    constexpr int kThreads = 8;
    constexpr int kPosts = 2000;
    struct Message {
        std::vector<int>* seen;
        int number;
    };
    auto queue = make();
    std::array<std::vector<int>, kThreads> seen;
    std::array<std::deque<Message>, kThreads> messages;
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < kPosts; ++i) {
                queue->post(
                    [](void* context) {
                        auto* message = static_cast<Message*>(context);
                        message->seen->push_back(message->number);
                    },
                    &messages[t].emplace_back(Message{&seen[t], i}));
            }
        });
    }
    std::size_t ran = 0;
    while (ran != std::size_t{kThreads} * kPosts) {
        // Never asleep with work queued: a lost signal would hang here.
        wait_readable(queue->fd());
        ran += queue->drain();
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    for (const auto& numbers : seen) {
        REQUIRE(numbers.size() == kPosts);
        for (int i = 0; i < kPosts; ++i) {
            REQUIRE(numbers[static_cast<std::size_t>(i)] == i);
        }
    }
    REQUIRE_FALSE(readable(queue->fd()));
}
