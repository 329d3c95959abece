use std::collections::BTreeMap;
use trailhound::{
    detect::load::CatalogLoader,
    record::{Column, skim::Skimmer},
    sigma::MatchScratch,
    synth::*,
};
fn main() {
    let ctx = trailhound::config::load(None, &Default::default()).unwrap().context;
    let mut l = CatalogLoader::default();
    for (n, t) in trailhound::run::pack::embedded() {
        l.builtin(n, t);
    }
    if std::env::args().count() > 1 {
        for e in walkdir::WalkDir::new("/work/shared/corpus/rules/sigmahq/rules").into_iter().flatten() {
            if e.path().extension().is_some_and(|x| x == "yml")
                && !e.path().ends_with("aws_sts_assumerole_misuse.yml")
            {
                l.file(&e.path().display().to_string(), &std::fs::read_to_string(e.path()).unwrap());
            }
        }
    }
    let cat = l.load(&ctx).unwrap().0;
    let mut by: BTreeMap<String, (u32, u32, u32)> = BTreeMap::new();
    let mut sk = Skimmer::default();
    let mut sc = MatchScratch::default();
    for f in World::new(Plan::bench(20000)).files() {
        let s = String::from_utf8(f.json).unwrap();
        let s = &s[s.find('[').unwrap() + 1..s.len() - 2];
        for (i, r) in s.split("},{\"eventVersion\"").enumerate() {
            let r = format!(
                "{}{}{}",
                if i > 0 { "{\"eventVersion\"" } else { "" },
                r,
                if r.ends_with("}}") || r.ends_with('}') && s.ends_with(r) { "" } else { "}" }
            );
            match sk.skim(r.as_bytes()) {
                None => {
                    let e = by.entry("NOSKIM".into()).or_default();
                    e.0 += 1;
                    if e.0 < 3 || e.0 == 1000 {
                        println!("{r}");
                    }
                }
                Some(s) => {
                    let e = by.entry(s.text(Column::EventName).to_string()).or_default();
                    e.0 += 1;
                    if cat.rules.may_match(&s, r.as_bytes(), &ctx, &mut sc) {
                        e.1 += 1;
                        if e.1 == 1 && e.0 < 100 {
                            trailhound::record::parser::Parser::default().with(r.as_bytes(), |root| {
                                let rec = trailhound::record::Record::new(root.unwrap(), &ctx, None);
                                let mut h = vec![];
                                cat.rules.matches(&rec, &mut sc, &mut h);
                                println!(
                                    "{} {:?} {}",
                                    s.text(Column::EventName),
                                    h.iter()
                                        .map(|i| cat.detectors[*i as usize].name.clone())
                                        .collect::<Vec<_>>(),
                                    s.text(Column::UserAgent)
                                );
                            });
                        }
                    }
                }
            }
        }
    }
    let mut v: Vec<_> = by.into_iter().collect();
    v.sort_by_key(|x| std::cmp::Reverse(x.1.1));
    let t: u32 = v.iter().map(|x| x.1.0).sum();
    let m: u32 = v.iter().map(|x| x.1.1).sum();
    println!("total {t} close {m}");
    for x in v.iter().take(14) {
        println!("{x:?}");
    }
    for x in v.iter().filter(|x| x.0 == "NOSKIM") {
        println!("{x:?}");
    }
}
