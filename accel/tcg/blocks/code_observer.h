// Who is told of the code that is generated: profilers and debuggers (observe/).
#pragma once

#include "tcg/code/tb.h"

namespace weft::accel {

class CodeObserver {
  public:
    // The code of a TB stands, and nobody runs it yet. The translator's thread.
    virtual void made(const tcg::TranslationBlock& tb) = 0;
    // It was not thrown away: it is used. The translator's thread.
    virtual void kept(const tcg::TranslationBlock& tb) = 0;

  protected:
    ~CodeObserver() = default;
};

}  // namespace weft::accel
