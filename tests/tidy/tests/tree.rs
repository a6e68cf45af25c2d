//! The rules on this repository, a test each.

use desk_tidy::{Tree, assert_clean, rules};

#[test]
fn crates_depend_on_one_another_as_designed() {
    assert_clean(rules::arrows::check());
}

#[test]
fn modules_import_downward_only() {
    assert_clean(rules::circles::check(&Tree::of_repository()));
}

#[test]
fn unsafe_code_is_forbidden_or_where_it_is_expected() {
    assert_clean(rules::unsafe_code::check(&Tree::of_repository()));
}

#[test]
fn files_have_names_that_say_something() {
    assert_clean(rules::names::check(&Tree::of_repository()));
}

#[test]
fn files_are_small_enough_to_read() {
    assert_clean(rules::size::check(&Tree::of_repository()));
}

#[test]
fn nothing_is_left_over() {
    assert_clean(rules::leftovers::check(&Tree::of_repository()));
}

#[test]
fn code_that_ships_does_not_unwrap() {
    assert_clean(rules::unwraps::check(&Tree::of_repository()));
}

#[test]
fn cores_have_no_clock_no_chance_and_no_outside() {
    assert_clean(rules::purity::check(&Tree::of_repository()));
}

#[test]
fn documents_link_to_something() {
    assert_clean(rules::links::check(&Tree::of_repository()));
}

#[test]
fn no_text_knows_a_machine_or_a_registry() {
    assert_clean(rules::places::check(&Tree::of_repository()));
}

#[test]
fn tests_do_not_sleep() {
    assert_clean(rules::sleeps::check(&Tree::of_repository()));
}

#[test]
fn each_rule_of_the_specification_has_a_test() {
    assert_clean(rules::spec::check(&Tree::of_repository()));
}

#[test]
fn documents_have_no_endless_sentences() {
    assert_clean(rules::sentences::check(&Tree::of_repository()));
}

#[test]
fn documents_name_what_is_there() {
    assert_clean(rules::documents::check(&Tree::of_repository()));
}
