use super::*;

fn env(pairs: &[(&str, &str)]) -> Environment {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_file_means_the_same_as_to_node() {
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("A=1\nB=2", &[("A", "1"), ("B", "2")]),
        ("A=\nB=x", &[("A", ""), ("B", "x")]),
        ("A=  \nB=x", &[("A", ""), ("B", "x")]),
        ("A= x # c\nB=y", &[("A", "x"), ("B", "y")]),
        ("A=\"a # b\"", &[("A", "a # b")]),
        ("A=a#b", &[("A", "a")]),
        ("A='x\\ny'", &[("A", "x\\ny")]),
        ("A=\"x\\ny\"", &[("A", "x\ny")]),
        ("A=`q\"q`", &[("A", "q\"q")]),
        ("export A=1", &[("A", "1")]),
        ("  A = 1 ", &[("A", "1")]),
        ("A=\"open\nB=2", &[("A", "\"open"), ("B", "2")]),
        ("A=\"multi\nline\" tail\nB=2", &[("A", "multi\nline"), ("B", "2")]),
        ("A", &[]),
        ("A=1\r\nB=2\r\n", &[("A", "1"), ("B", "2")]),
        ("A=\"x\"#c", &[("A", "x")]),
        ("\n\n#x=y\n\nA=1\n#end", &[("A", "1")]),
        ("A='x' B=2", &[("A", "x")]),
        ("A=\" s \"", &[("A", " s ")]),
        ("A=\"\"\nB=1", &[("A", ""), ("B", "1")]),
        ("A=x=y", &[("A", "x=y")]),
        ("A='it''s'", &[("A", "it")]),
        ("A =\n\nB=2", &[("A", ""), ("B", "2")]),
        ("URL=amqps://u:p%40ss@host/v?x=1", &[("URL", "amqps://u:p%40ss@host/v?x=1")]),
    ];
    for (text, expected) in cases {
        assert_eq!(parse_env(text), env(expected), "{text:?}");
    }
}

fn clone_of(name: &str) -> PathBuf {
    let root = std::env::temp_dir().join(format!("disparo-rust-{name}-{}", std::process::id()));
    std::fs::create_dir_all(root.join(".local")).expect("a folder");
    std::fs::create_dir_all(root.join("consumer/rust")).expect("a folder");
    std::fs::write(root.join(".env.example"), "").expect("a file");
    root
}

#[test]
fn the_environment_wins_over_env_and_env_over_the_local_services() {
    let root = clone_of("layers");
    std::fs::write(root.join(".local/services.env"), "A=local\nB=local\nC=local\nD=local\n").expect("a file");
    std::fs::write(root.join(".env"), "A=file\nB=file\nD=\n").expect("a file");
    let read = read_environment(env(&[("A", "given"), ("C", "")]), Some(&root)).expect("readable");
    assert_eq!(read, env(&[("A", "given"), ("B", "file"), ("C", "local"), ("D", "local")]));
    std::fs::remove_dir_all(root).expect("removed");
}

#[test]
fn the_root_is_found_from_any_folder_below_it() {
    let root = clone_of("root");
    assert_eq!(find_root(&root.join("consumer/rust")), Some(root.clone()));
    assert_eq!(find_root(&std::env::temp_dir()), None);
    std::fs::remove_dir_all(root).expect("removed");
}
