// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include <probekit/async/detail/context_state.hpp>
#include <probekit/async/detail/mutex.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/config.hpp>
#include <probekit/core/detail/on_use.hpp>
#include <probekit/core/detail/to_size.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/probe_spec.hpp>
#include <probekit/core/schedule.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

class SharedSpec;

/// The ProbeSpecs that are in use, each once: a thousand workers mostly share one or two, so no
/// worker needs a copy of its own. One cache per execution context: `context.local<SpecCache>()`. A
/// spec lives as long as its last SharedSpec, the cache as long as its context and its last spec.
/// From any thread.
template <class = OnUse>
class BasicSpecCache final : public ContextLocal {
public:
    BasicSpecCache() = default;

    /// Throws std::bad_alloc, and then nothing has changed.
    [[nodiscard]] SharedSpec share(const ProbeSpec& spec);

    /// The number of different specs.
    [[nodiscard]] std::size_t size() noexcept {
        const std::lock_guard lock{mutex_};
        return size_;
    }

    void destroy() noexcept override { delete this; }

private:
    friend class SharedSpec;

    struct Entry final : RefCounted<Entry> {
        Entry(BasicSpecCache& of, const ProbeSpec& given) : spec(given), cache(&of) {}
        void destroy() noexcept {
            cache->forget(*this);
            delete this;
        }

        const ProbeSpec spec;
        const Ref<BasicSpecCache> cache;
        Entry* next = nullptr; // of the same bucket
    };

    [[nodiscard]] static std::uint64_t hash(const ProbeSpec& spec) noexcept {
        std::uint64_t state = 0;
        const auto mix = [&](auto value) {
            state ^= static_cast<std::uint64_t>(value);
            state = splitmix64(state);
        };
        mix(spec.kind);
        mix(spec.pacing.cadence);
        mix(spec.success_threshold);
        mix(spec.failure_threshold);
        mix(spec.error_threshold);
        mix(spec.error_threshold_local);
        for (const Duration span :
             {spec.initial_delay, spec.period, spec.timeout, spec.pacing.spread, spec.pacing.jitter,
              spec.pacing.slack.value_or(Duration{-1}),
              spec.termination_grace_period.value_or(Duration{-1})})
            mix(span.count());
        mix(spec.pacing.seed);
        return state;
    }

    [[nodiscard]] Entry*& bucket_of(const ProbeSpec& spec) noexcept {
        return buckets_[to_size(hash(spec)) & (buckets_.size() - 1)];
    }

    [[nodiscard]] Ref<Entry> find_or_add(const ProbeSpec& spec) {
        const std::lock_guard lock{mutex_};
        if (size_ >= buckets_.size()) grow();
        Entry*& bucket = bucket_of(spec);
        // An entry whose last holder is just releasing it cannot be shared any more.
        for (Entry* entry = bucket; entry != nullptr; entry = entry->next)
            if (entry->spec == spec && entry->try_retain()) return Ref<Entry>::adopt(entry);
        auto* const entry = new Entry{*this, spec};
        entry->next = std::exchange(bucket, entry);
        ++size_;
        return Ref<Entry>{entry};
    }

    void forget(const Entry& entry) noexcept {
        const std::lock_guard lock{mutex_};
        Entry** at = &bucket_of(entry.spec);
        while (*at != &entry) at = &(*at)->next;
        *at = entry.next;
        --size_;
    }

    // The number of buckets is a power of two.
    void grow() {
        std::vector<Entry*> old(std::bit_ceil(2 * size_ + 4));
        old.swap(buckets_);
        for (Entry* entry : old) {
            while (entry != nullptr) {
                Entry* const next = entry->next;
                entry->next = std::exchange(bucket_of(entry->spec), entry);
                entry = next;
            }
        }
    }

    Mutex mutex_;
    std::vector<Entry*> buckets_;
    std::size_t size_ = 0;
};

using SpecCache = BasicSpecCache<>;

/// A ProbeSpec that all workers of a context with an equal one share; it does not change.
class SharedSpec {
public:
    [[nodiscard]] const ProbeSpec& operator*() const noexcept { return entry_->spec; }

private:
    friend SpecCache;

    template <class = OnUse>
    explicit SharedSpec(Ref<SpecCache::Entry> entry) noexcept : entry_(std::move(entry)) {}

    Ref<SpecCache::Entry> entry_;
};

template <class Parameter>
SharedSpec BasicSpecCache<Parameter>::share(const ProbeSpec& spec) {
    return SharedSpec{find_or_add(spec)};
}

} // namespace probekit::inline PROBEKIT_ABI::detail
