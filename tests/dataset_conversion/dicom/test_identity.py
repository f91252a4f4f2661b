from mass_nnunet.dataset_conversion.dicom.identity import Identity, masked, persons


def test_a_person_shares_an_id_or_a_name_and_birth_date_or_a_study():
    one = Identity("1", "Doe^Jane", "19640812", "s1")
    same_id = Identity("1", "Roe^Jane", "19640812", "s2")  # another name after a marriage
    same_name = Identity("H|77", "DOE^JANE^", "19640812", "s3")  # the id of another hospital
    same_study = Identity("", "", "", "s2")
    other = Identity("2", "Doe^Jane", "19700101", "s4")
    found = persons([one, other, same_id, same_name, same_study])
    assert sorted(map(len, found)) == [1, 4]
    assert {other} in found


def test_each_study_may_be_another_persons():
    found = [Identity("ANON", "ANON", "19000101", study) for study in ("s1", "s2", "s1")]
    assert (len(persons(found)), len(persons(found, by_study=True))) == (1, 2)


def test_short_names_are_masked_as_words():
    tokens = sorted(Identity("1", "Li^Xu=王^小东", "", "s").tokens())
    assert masked("CT Li, Xu of the liver 1 mm 王小东", tokens) == "CT ***, *** of the liver 1 mm ******"


def test_nobody_is_joined_by_what_is_empty():
    anonymous = [Identity("", "ANONYMOUS", "", f"s{number}") for number in range(3)]
    assert len(persons(anonymous)) == 3


def test_pieces_of_a_name_are_masked_in_any_case_and_form():
    tokens = sorted(Identity("MRN4711|H1", "Mustermann^Erika", "19640812", "s").tokens())
    text = "CT mustermann, ERIKA 12.08.1964 (MRN4711)\n19640812 1964-08-12 of An"
    assert masked(text, tokens) == "CT ***, *** *** (***) *** *** of An"
    assert masked("venous", tokens) == "venous"
