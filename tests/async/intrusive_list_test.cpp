// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/async/detail/intrusive_list.hpp>

#include <string>

#include <catch2/catch_test_macros.hpp>

using probekit::detail::IntrusiveList;
using probekit::detail::ListLink;

namespace {

struct Item : ListLink<Item> {
    explicit Item(char letter) : name(letter) {}
    char name;
};

using List = IntrusiveList<Item>;

// Empties the list: the names in their order.
std::string drain(List& list) {
    std::string names;
    while (const Item* const item = list.pop_front()) names += item->name;
    return names;
}

static_assert(sizeof(List) == 2 * sizeof(void*));
static_assert(sizeof(ListLink<Item>) == 2 * sizeof(void*));

} // namespace

TEST_CASE("a list is empty at first, and after its last object has been removed") {
    List list;
    Item a{'a'};
    CHECK(list.empty());
    CHECK(list.front() == nullptr);
    CHECK(list.pop_front() == nullptr);
    CHECK_FALSE(List::is_listed(a));
    list.push_back(a);
    CHECK_FALSE(list.empty());
    CHECK(list.front() == &a);
    CHECK(List::is_listed(a)); // the only object, too
    list.remove(a);
    CHECK(list.empty());
    CHECK_FALSE(List::is_listed(a));
}

TEST_CASE("objects are listed at either end") {
    List list;
    Item a{'a'}, b{'b'}, c{'c'};
    list.push_back(b);
    list.push_front(a);
    list.push_back(c);
    CHECK(list.front() == &a);
    CHECK(drain(list) == "abc");
}

TEST_CASE("objects are removed from the front, the middle and the back, and may be listed again") {
    List list;
    Item a{'a'}, b{'b'}, c{'c'}, d{'d'};
    for (Item* const item : {&a, &b, &c, &d}) list.push_back(*item);
    list.remove(b);
    list.remove(a);
    list.remove(d);
    CHECK(list.front() == &c);
    list.push_back(a);
    list.push_front(d);
    CHECK(drain(list) == "dca");
    for (const Item* const item : {&a, &b, &c, &d}) CHECK_FALSE(List::is_listed(*item));
}

TEST_CASE("the first object that a predicate is true for is found") {
    List list;
    Item a{'a'}, b{'b'}, c{'c'};
    CHECK(list.find_if([](const Item&) { return true; }) == nullptr);
    for (Item* const item : {&a, &b, &c}) list.push_back(*item);
    CHECK(list.find_if([](const Item& item) { return item.name > 'a'; }) == &b);
    CHECK(list.find_if([](const Item& item) { return item.name > 'c'; }) == nullptr);
    CHECK(drain(list) == "abc");
}

TEST_CASE("an object moves from one list to another") {
    List one, other;
    Item a{'a'};
    one.push_back(a);
    one.remove(a);
    other.push_back(a);
    CHECK(one.empty());
    CHECK(drain(other) == "a");
}
