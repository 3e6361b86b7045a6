// Five bodies that attract each other, in double precision. SIZE: time steps.

#include <array>
#include <cmath>
#include <cstddef>

#include "bench.h"

namespace {

struct Body {
    double x, y, z;
    double vx, vy, vz;
    double mass;
};

using Bodies = std::array<Body, 5>;

void step(Bodies& bodies, double time) {
    for (std::size_t i = 0; i < bodies.size(); i++) {
        Body& a = bodies[i];
        for (std::size_t k = i + 1; k < bodies.size(); k++) {
            Body& b = bodies[k];
            const double dx = a.x - b.x;
            const double dy = a.y - b.y;
            const double dz = a.z - b.z;
            const double square = dx * dx + dy * dy + dz * dz;
            const double pull = time / (square * std::sqrt(square));
            a.vx -= dx * b.mass * pull;
            a.vy -= dy * b.mass * pull;
            a.vz -= dz * b.mass * pull;
            b.vx += dx * a.mass * pull;
            b.vy += dy * a.mass * pull;
            b.vz += dz * a.mass * pull;
        }
    }
    for (Body& body : bodies) {
        body.x += time * body.vx;
        body.y += time * body.vy;
        body.z += time * body.vz;
    }
}

class NBody final : public bench::Work {
  public:
    explicit NBody(long size) : steps_(size) {}

    std::uint64_t run() override {
        // A heavy one in the middle, four on circles around it.
        Bodies bodies{};
        bodies[0].mass = 40;
        for (std::size_t i = 1; i < bodies.size(); i++) {
            const double distance = 3.0 * static_cast<double>(i);
            bodies[i] = {distance,         0, 0.125 * static_cast<double>(i), 0, std::sqrt(40 / distance), 0,
                         0.0625 / distance};
        }
        for (long i = 0; i < steps_; i++)
            step(bodies, 0.0078125);
        bench::Checksum check;
        for (const Body& body : bodies) {
            check.add(body.x);
            check.add(body.y);
            check.add(body.z);
            check.add(body.vx);
            check.add(body.vy);
            check.add(body.vz);
        }
        return check.value();
    }

  private:
    long steps_;
};

}  // namespace

std::unique_ptr<bench::Work> bench::make(long size) { return std::make_unique<NBody>(size); }
